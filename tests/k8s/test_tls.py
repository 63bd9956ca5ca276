"""With the component `tls` every gRPC hop has both ends' certificates, and each names what it is called by."""

import re
import subprocess
from pathlib import Path

import pytest

from serving.local.ssl_config import server_credentials
from serving.model_list import model_names, read_model_list
from tests.k8s.flows import flows
from tests.k8s.manifests import ROOT, Object, named, of_kind, pod_of, pods, render_with
from tests.serving.tls_files import Authority


@pytest.fixture(scope="module")
def secured() -> list[Object]:
    """The base with replicas and TLS."""
    return render_with("redis", "tls")


def test_every_pod_that_serves_grpc_shows_a_certificate_and_demands_one(secured: list[Object]) -> None:
    for pod in pods(secured, "Deployment", "StatefulSet"):
        for container in pod.containers:
            if "grpc" not in {port["name"] for port in container.get("ports", ())}:
                continue
            flags = {argument.partition("=")[0] for argument in container["args"]}
            ours = {"--tls-cert", "--tls-key", "--tls-client-ca", "--tls-ca"}
            assert ours <= flags or "--ssl_config_file" in flags, pod.owner


def test_whoever_calls_by_grpc_knows_the_authority_and_shows_a_certificate(secured: list[Object]) -> None:
    callers = {flow.source.owner: flow.source for flow in flows(secured) if flow.port != 6379}
    assert set(callers) == {"StatefulSet/feature-service", "Deployment/feature-service-replica", "Deployment/console"}
    for pod in callers.values():
        arguments = pod.containers[0]["args"]
        assert {"--tls-ca=/tls/ca.crt", "--tls-cert=/tls/tls.crt", "--tls-key=/tls/tls.key"} <= set(arguments)


def test_the_certificate_of_who_is_called_has_the_name_that_it_is_called_by(secured: list[Object]) -> None:
    for flow in flows(secured):
        if flow.target is None or flow.port == 6379:
            continue
        (secret,) = (each["secret"]["secretName"] for each in flow.target.spec["volumes"] if each["name"] == "tls")
        (certificate,) = (each for each in of_kind(secured, "Certificate") if each["spec"]["secretName"] == secret)
        assert flow.host in certificate["spec"]["dnsNames"], flow


def test_the_third_model_server_of_production_is_named_too(production: list[Object]) -> None:
    names = named(production, "Certificate", "model-server")["spec"]["dnsNames"]
    replicas = named(production, "StatefulSet", "model-server")["spec"]["replicas"]
    assert names == [f"model-server-{number}.model-server" for number in range(replicas)]


def test_certificates_serve_both_ways_and_come_from_issuers_that_are_there(secured: list[Object]) -> None:
    issuers = {each["metadata"]["name"]: each["spec"] for each in of_kind(secured, "Issuer")}
    for each in of_kind(secured, "Certificate"):
        spec = each["spec"]
        assert spec["issuerRef"]["name"] in issuers
        assert spec.get("isCA") or {"server auth", "client auth"} <= set(spec["usages"])
    authority = named(secured, "Certificate", "authority")["spec"]
    assert issuers["onair"]["ca"]["secretName"] == authority["secretName"]


def test_no_probe_speaks_plain_grpc_to_a_port_that_does_not(secured: list[Object]) -> None:
    for pod in pods(secured, "Deployment", "StatefulSet"):
        for container in pod.containers:
            assert not [key for key, value in container.items() if key.endswith("Probe") and "grpc" in value], pod.owner


def test_a_model_server_is_ready_when_a_model_that_it_has_is_known(secured: list[Object]) -> None:
    (container,) = pod_of(secured, "StatefulSet", "model-server").spec["containers"]
    path = container["readinessProbe"]["httpGet"]["path"]
    assert path.removeprefix("/v1/models/") in model_names(read_model_list(ROOT / "serving/config/models.config"))


def test_the_model_server_reads_what_the_first_container_writes(secured: list[Object], tmp_path: Path) -> None:
    authority = Authority(tmp_path / "made")
    own = authority.issue("model-server")
    (tmp_path / "tls").mkdir()
    (tmp_path / "ssl").mkdir()
    for path, name in ((own.certificate, "tls.crt"), (own.key, "tls.key"), (authority.certificate, "ca.crt")):
        (tmp_path / "tls" / name).write_bytes(path.read_bytes())
    (first,) = pod_of(secured, "StatefulSet", "model-server").spec["initContainers"]
    command = [re.sub(r"/(tls|ssl)/", rf"{tmp_path}/\1/", each) for each in first["command"]]
    subprocess.run(command, check=True, timeout=20)
    written = tmp_path / "ssl" / "ssl.config"
    assert server_credentials(written)
    assert written.stat().st_mode & 0o077 == 0
