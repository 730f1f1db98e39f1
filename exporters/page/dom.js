// Dom: small helpers to make elements, and to touch only what changed.

// element("p", {class: "quiet", "aria-hidden": "true"}, "text", child...)
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// One paragraph per text.
export function setParagraphs(node, texts) {
  const same = node.children.length === texts.length &&
      texts.every((text, i) => node.children[i].textContent === text);
  if (same) return;
  node.replaceChildren(...texts.map((text) => element("p", {}, text)));
}

// Shows one element per item, in their order. An element stays as long as its
// item, with its focus and whether it is open.
export function keep(parent, known, items, keyOf, make, update) {
  const wanted = new Set(items.map(keyOf));
  for (const [key, view] of known) {
    if (wanted.has(key)) continue;
    view.node.remove();
    view.gone?.();
    known.delete(key);
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let view = known.get(key);
    if (!view) {
      view = make(item);
      known.set(key, view);
    }
    if (view.node === next) {
      next = next.nextElementSibling;
    } else {
      parent.insertBefore(view.node, next);
    }
    update?.(view, item);
  }
}
