"use strict";

const page = document.getElementById("documentation");

SwaggerUIBundle({
  url: page.dataset.schema,
  domNode: page,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  validatorUrl: null, // it would ask a server of others
});
