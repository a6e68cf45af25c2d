/** What of a desk's page nobody sees at first. It is one file: few requests, and whole or not there. */
export { default as BinPanel } from "./BinPanel.svelte";
export { default as FilesDialog } from "./FilesDialog.svelte";
export { default as FindBar } from "./FindBar.svelte";
export { default as HelpDialog } from "./HelpDialog.svelte";
export { default as PrintSheet } from "./PrintSheet.svelte";
export { default as ProfileDialog } from "./ProfileDialog.svelte";
export { default as ReadDialog } from "./ReadDialog.svelte";
export { default as ShareDialog } from "./ShareDialog.svelte";
export { default as UnsavedDialog } from "./UnsavedDialog.svelte";
export { default as WorkshopPanel } from "../workshop/WorkshopPanel.svelte";
