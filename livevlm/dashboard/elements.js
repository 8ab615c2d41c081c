// Elements made by script. Text always becomes a text node: whatever a stream is called or a model says stays text.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element with attributes (true: present; false, null: absent) and children, which are elements or text. */
export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function drawing(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Set an element's text, only if it changes: what is read aloud or selected is left alone. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** The element of the page with that id. */
export function byId(id) {
  return document.getElementById(id);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
