// The bar of work that goes on: asks every two seconds. When all is done it says so, or shows the page anew.
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", function () {
    var bar = document.querySelector("[data-progress-url]");
    if (!bar) {
      return;
    }
    var text = document.querySelector("[data-progress-text]");

    function ask() {
      fetch(bar.dataset.progressUrl, { headers: { Accept: "application/json" } })
        .then(function (answer) {
          return answer.ok ? answer.json() : Promise.reject(answer.status);
        })
        .then(function (progress) {
          if (progress.finished && text.dataset.finished === undefined) {
            window.location.reload();
            return;
          }
          if (progress.finished) {
            bar.value = bar.max;
            text.textContent = text.dataset.finished;
            return;
          }
          bar.max = progress.total;
          bar.value = progress.done;
          text.textContent = progress.done.toLocaleString() + " / " + progress.total.toLocaleString();
          window.setTimeout(ask, 2000);
        })
        .catch(function () {
          window.setTimeout(ask, 10000); // the server is away for a moment
        });
    }

    window.setTimeout(ask, 2000);
  });
})();
