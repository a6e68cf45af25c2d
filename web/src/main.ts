import "./fonts.css";
import "./app.css";
import { mount } from "svelte";
import App from "./App.svelte";
import { keepPage } from "./session/page_version.svelte";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has an element #app");
mount(App, { target });
keepPage();
