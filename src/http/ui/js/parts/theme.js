// Light or dark: as the device has it, unless the person chose.

const KEPT = "rollcall.theme";
const device = matchMedia("(prefers-color-scheme: dark)");

/** `system`, `light` or `dark`. */
export const theme = () => localStorage.getItem(KEPT) ?? "system";

export function applyTheme(chosen = theme()) {
  if (chosen === "system") localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, chosen);
  document.documentElement.dataset.theme = chosen === "system" ? (device.matches ? "dark" : "light") : chosen;
  window.dispatchEvent(new Event("theme"));
}

/** Calls back when somebody chose another one, until the signal. */
export const onTheme = (listener, signal) => window.addEventListener("theme", listener, { signal });

device.addEventListener("change", () => applyTheme());
