'use strict';
(() => {
  /* Titles of pictures as a tip at once, by pointer or touch; without this script browsers show them after a while. */
  const tip = document.createElement('div');
  tip.id = 'tip';
  tip.hidden = true;
  document.body.append(tip);
  const titled = node => {
    for (let n = node; n && n.nodeName !== 'svg'; n = n.parentNode) {
      const title = n.querySelector && n.querySelector(':scope > title');
      if (title) return title.textContent;
    }
    return '';
  };
  const show = event => {
    const text = event.target.closest && event.target.closest('svg') ? titled(event.target) : '';
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    tip.style.left = Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 4)) + 'px';
    const below = event.clientY + 16;
    tip.style.top = (below + tip.offsetHeight < innerHeight ? below : event.clientY - tip.offsetHeight - 8) + 'px';
  };
  addEventListener('pointermove', show);
  addEventListener('pointerdown', show);
  addEventListener('scroll', () => { tip.hidden = true; }, true);

  /* Tables that can be sorted by the figures of a column. */
  const value = cell => {
    const text = cell.dataset.value ?? (cell.classList.contains('number') ? cell.textContent.replace(/,/g, '') : '');
    return parseFloat(text);
  };
  const name = cell => (cell.querySelector('bdi') ?? cell).textContent;
  const compare = (a, b) => {
    const [x, y] = [value(a), value(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    return Number.isNaN(x) - Number.isNaN(y) || name(a).localeCompare(name(b), undefined, {numeric: true});
  };
  const sort = (table, head, i) => {
    const down = head.getAttribute('aria-sort') !== 'descending';
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort');
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const sign = down ? -1 : 1;
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => sign * compare(a.cells[i], b.cells[i]));
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll('table.sortable')) {
    [...table.tHead.rows[0].cells].forEach((head, i) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => sort(table, head, i));
    });
  }
})();
