// Finding and making elements, and saying things to those who do not see them.

export const element = (id) => document.getElementById(id);

/** `properties` are set on the element; those with a hyphen, and `role`, are attributes. */
export function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

export function button(text, onClick, properties = {}) {
  const made = make("button", { type: "button", textContent: text, ...properties });
  made.addEventListener("click", onClick);
  return made;
}

export function onSubmit(id, action) {
  element(id).addEventListener("submit", (event) => {
    event.preventDefault();
    action(event);
  });
}

/** A button in place of a file input, which browsers draw in their own way. */
export function onPick(buttonId, inputId, open) {
  element(buttonId).addEventListener("click", () => element(inputId).click());
  onChosen(inputId, open);
}

/** What is chosen in a file input, also before this has run. */
export function onChosen(inputId, open) {
  const input = element(inputId);
  const take = () => {
    const files = [...input.files];
    input.value = ""; // so that the same file can be chosen again
    open(files);
  };
  input.addEventListener("change", take);
  if (input.files.length > 0) setTimeout(take); // once all of the page has begun
}

/** For screen readers: whole results, never single tokens. */
export function announce(words) {
  element("announcer").textContent = words;
}

export function showError(id, error) {
  console.error(error);
  element(id).textContent = error.message;
  element(id).hidden = false;
  element(id).scrollIntoView({ block: "nearest" }); // on a phone the button pressed may be far from it
  announce(error.message);
}

export function hideError(id) {
  element(id).hidden = true;
}

/** Offers bytes to save under a name. */
export function download(name, blob) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Puts a text on the clipboard, and says so on the button for a moment. */
export async function copy(text, pressed) {
  const before = (pressed.dataset.words ??= pressed.textContent);
  try {
    await navigator.clipboard.writeText(text);
    pressed.textContent = "Copied";
    announce("Copied.");
  } catch {
    pressed.textContent = "Not allowed";
    announce("The browser does not let this page use the clipboard.");
  }
  setTimeout(() => (pressed.textContent = before), 1500);
}
