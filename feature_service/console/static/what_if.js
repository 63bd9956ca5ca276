// What if: a slider says where it stands, and the slates follow when it is let go.
"use strict";

const form = document.querySelector("form.wish");

for (const slider of form.querySelectorAll("input[type=range]")) {
  const output = slider.parentElement.querySelector("output");
  slider.addEventListener("input", () => { output.value = Number(Number(slider.value).toPrecision(3)); });
  slider.addEventListener("change", () => form.requestSubmit());
}
