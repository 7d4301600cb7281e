"use strict";
// Optional: the page works without scripts. Sorts tables and compares two methods with a divider.

function sortable(table) {
  const heads = [...table.querySelectorAll(".columns th")];
  const body = table.tBodies[0];
  if (body.rows.length < 2) return;
  const first = [...body.rows];
  const textOf = (row, column) => (row.cells[column] ? row.cells[column].textContent : "");
  const number = (row, column) => parseFloat(textOf(row, column).replace(/,/g, ""));
  heads.forEach((head, column) => {
    if (!head.textContent) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const counted = first.some((row) => !Number.isNaN(number(row, column)));
    const orders = counted && column ? ["descending", "ascending"] : ["ascending", "descending"];
    button.addEventListener("click", () => {
      const chosen = orders[(orders.indexOf(head.getAttribute("aria-sort")) + 1) % 2];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", chosen);
      const sign = chosen === "ascending" ? 1 : -1;
      const order = (a, b) => {
        if (!counted || !column) return sign * textOf(a, column).localeCompare(textOf(b, column));
        const [x, y] = [number(a, column), number(b, column)];
        // Cells without a number come last in both orders.
        return Number.isNaN(x) || Number.isNaN(y) ? Number.isNaN(x) - Number.isNaN(y) : sign * (x - y);
      };
      body.append(...[...first].sort(order));
    });
  });
}

function viewer(box) {
  const crops = [...box.closest(".image").querySelectorAll("[data-crop]")];
  const [stage, status] = [box.querySelector(".stage"), box.querySelector("p")];
  const [left, right] = box.querySelectorAll("select");
  const [range, errors] = [box.querySelector("[type=range]"), box.querySelector("[type=checkbox]")];
  const [below, above, line] = ["img", "img", "i"].map((name) => stage.appendChild(document.createElement(name)));
  const show = () => {
    const divide = Number(range.value);
    const named = [left, right].map((select) => crops[Number(select.value)].dataset.crop);
    [[above, left], [below, right]].forEach(([image, select]) => {
      const source = crops[Number(select.value)].querySelectorAll("img")[errors.checked ? 1 : 0];
      if (image.src !== source.src) image.src = source.src;
      image.alt = source.alt;
      image.draggable = false;
    });
    above.style.clipPath = `inset(0 ${100 - divide}% 0 0)`;
    line.style.left = `${divide}%`;
    line.hidden = divide === 0 || divide === 100;
    const text = divide === 0 ? named[1] : divide === 100 ? named[0] : `${named[0]} | ${named[1]}`;
    if (status.textContent !== text) status.textContent = text;
    range.setAttribute("aria-valuetext", `${divide} percent ${named[0]}, ${100 - divide} percent ${named[1]}`);
  };
  const drag = (event) => {
    if (event.type === "pointermove" && !event.buttons) return;
    const place = stage.getBoundingClientRect();
    range.value = String(Math.round((100 * (event.clientX - place.left)) / place.width));
    show();
  };
  stage.addEventListener("pointerdown", drag);
  stage.addEventListener("pointermove", drag);
  box.querySelector("button").addEventListener("click", () => {
    range.value = Number(range.value) < 100 ? "100" : "0";
    show();
  });
  box.addEventListener("input", show);
  show();
  box.hidden = false;
}

document.querySelectorAll("table").forEach(sortable);
document.querySelectorAll(".viewer").forEach(viewer);
