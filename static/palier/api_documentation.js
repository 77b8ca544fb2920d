"use strict";

// Swagger UI is dark where the document says so by this class: as the site's switch was set, or else as the system is.
const system = window.matchMedia("(prefers-color-scheme: dark)");

function followTheme() {
  const chosen = document.documentElement.dataset.theme;
  document.documentElement.classList.toggle("dark-mode", chosen ? chosen === "dark" : system.matches);
}

followTheme();
system.addEventListener("change", followTheme);

const page = document.getElementById("documentation");

SwaggerUIBundle({
  url: page.dataset.schema,
  domNode: page,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null, // it would ask a server of others
});
