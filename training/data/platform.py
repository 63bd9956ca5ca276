"""The platform of a log: which attributes and content vectors its catalogue must have."""

from feature_service.features.attributes import Attribute, AttributeKind
from feature_service.features.catalog import Catalog, build_catalog
from feature_service.features.reducers import Entity
from feature_service.settings import Settings
from training.data.about import About
from training.data.errors import DataError


def catalog_of(about: About | None, settings: Settings | None = None) -> Catalog:
    """The catalogue for a log.

    Args:
        about: What the log says of itself; None = nothing.
        settings: Of the service; attributes that only they declare are added. Without a log's word, theirs hold.

    Raises:
        DataError: Log and settings declare an attribute differently, or neither is there.
    """
    if about is None:
        if settings is None:
            raise DataError("about.json: expected it beside the log, or a settings file that declares the attributes")
        return build_catalog(settings.service.content_width, settings.attributes)
    declared = {(attribute.entity, attribute.name): attribute for attribute in _attributes(about)}
    for attribute in settings.attributes if settings else ():
        held = declared.setdefault((attribute.entity, attribute.name), attribute)
        if held != attribute:
            raise DataError(
                f"attributes.{attribute.entity}.{attribute.name}: expected {_spoken(held)} as in the log, "
                f"received {_spoken(attribute)} in the settings"
            )
    return build_catalog(about.content_width, tuple(declared.values()))


def settings_toml(catalog: Catalog) -> str:
    """A settings file with which the service has the same catalogue."""
    contents = [feature.width for feature in catalog.features if feature.name == "room.content"]
    lines = ["[service]", f"content_width = {contents[0] if contents else 0}"]
    for attribute in catalog.attributes:
        lines += ["", f'[attributes.{attribute.entity}."{attribute.name}"]', f'kind = "{attribute.kind}"']
        if attribute.kind is AttributeKind.VECTOR:
            lines.append(f"width = {attribute.width}")
    return "\n".join(lines) + "\n"


def _attributes(about: About) -> list[Attribute]:
    try:
        return [
            Attribute(Entity(entity), name, AttributeKind(declared["kind"]), int(declared.get("width", 1)))
            for entity, attributes in about.attributes.items()
            for name, declared in attributes.items()
        ]
    except (KeyError, ValueError) as error:
        raise DataError(f"about.json: attributes: expected a kind of {', '.join(AttributeKind)} ({error})") from error


def _spoken(attribute: Attribute) -> str:
    return f"{attribute.kind} of width {attribute.width}"
