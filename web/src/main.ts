import "./fonts/onest.css";
import "./app.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { keepPage } from "./session/page_version.svelte";
import { profile } from "./session/profile.svelte";
import { speak } from "./text/text.svelte";

async function open(target: HTMLElement): Promise<void> {
  // English is at hand: without its file a language must not keep the page from opening.
  await speak().catch(() => undefined);
  profile.settle();
  mount(App, { target });
  keepPage();
}

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has an element #app");
// Not awaited: a language's file has parts in common with this one, and would wait for its end.
void open(target);
