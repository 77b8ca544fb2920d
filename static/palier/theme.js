// Light, dark or the system's choice. Loaded in <head> without `defer`, so that the first paint is already right.
// The key and its values are those of Django's admin: one switch serves the portal and the back-office.
(function () {
  "use strict";
  var KEY = "theme";
  var NEXT = { auto: "light", light: "dark", dark: "auto" };

  function read() {
    try {
      var kept = window.localStorage.getItem(KEY);
      return kept in NEXT ? kept : "auto";
    } catch (error) {
      return "auto"; // storage is forbidden: follow the system
    }
  }

  function keep(theme) {
    try {
      window.localStorage.setItem(KEY, theme);
    } catch (error) {
      // Storage is forbidden: the choice lasts until the next page.
    }
  }

  function apply(theme) {
    if (theme === "auto") {
      document.documentElement.removeAttribute("data-theme");
    } else {
      document.documentElement.dataset.theme = theme;
    }
  }

  function show(button, theme) {
    button.hidden = false;
    button.dataset.shows = theme;
    button.querySelectorAll("[data-theme-name]").forEach(function (name) {
      name.hidden = name.dataset.themeName !== theme;
    });
  }

  apply(read());

  document.addEventListener("DOMContentLoaded", function () {
    var theme = read();
    document.querySelectorAll("[data-theme-switch]").forEach(function (button) {
      show(button, theme);
      button.addEventListener("click", function () {
        theme = NEXT[theme];
        keep(theme);
        apply(theme);
        show(button, theme);
      });
    });
  });
})();
