// What the peers' packages ask of a browser when they are loaded.
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html>", { url: "http://localhost/", pretendToBeVisual: true });
const quiet = { matches: false, addEventListener() {}, removeEventListener() {} };
window.matchMedia = () => quiet;
// Only asked whether it has filters, and how wide a text is.
window.HTMLCanvasElement.prototype.getContext = () => ({
  filter: "none",
  measureText: (text) => ({ width: 8 * text.length }),
});

for (const name of Object.getOwnPropertyNames(window)) {
  if (!(name in globalThis)) globalThis[name] = window[name];
}
globalThis.window = window;
globalThis.matchMedia = window.matchMedia;
globalThis.ResizeObserver = class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
Object.defineProperty(globalThis, "navigator", { value: window.navigator, configurable: true });
