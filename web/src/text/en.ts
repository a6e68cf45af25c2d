/** Everything the page says in English: whole sentences, so that a second language can differ. */

const plural = (count: number, one: string, many: string): string =>
  count === 1 ? `1 ${one}` : `${count} ${many}`;

export const en = {
  product: "Sticker Desk",

  start: {
    headline: "Put it on a note. Put the note on the desk.",
    lead: "A desk for sticky notes that you share by a link. Everyone writes at once, nothing gets lost, and no account is needed.",
    create: "New desk",
    creating: "Making a desk…",
    noLine: "A new desk needs the line to the server. Try again when you are online.",
    openLabel: "Link or id of a desk",
    openPlaceholder: "Paste a link to open a desk",
    open: "Open",
    openInvalid: "That is not a link to a desk. It ends in 26 letters and digits.",
    points: [
      ["Live", "Cursors, moves and letters appear for everyone as they happen, even in one note."],
      ["Unbothered by bad lines", "Keep working offline. Your changes wait on this device and merge when you are back."],
      ["Gone by itself", "A desk is deleted for good when its time is up: a week, unless this server says otherwise."],
    ],
    recent: "Recent desks on this device",
    forget: (title: string) => `Take “${title}” off this list`,
    owner: "yours",
    viewer: "view only",
    expired: "expired, kept on this device",
  },

  desk: {
    untitled: "Untitled desk",
    rename: "Name of the desk",
    home: "All desks",
    opening: "Opening the desk…",
    emptyHead: "An empty desk",
    emptyEdit: "Double-click anywhere, or press N, to stick the first note.",
    emptyTouch: "Double-tap anywhere, or press +, to stick the first note.",
    emptyShare: "Share the link to write together.",
    emptyView: "Nothing is here yet. Notes appear as others write them.",
    viewOnly: "View only",
    board: "Desk. Arrow keys pan, plus and minus zoom, N adds a note.",
    expires: (left: string) => `${left} left`,
    expiresTitle: (when: string) => `This desk is deleted for good on ${when}.`,
    endsSoon: (when: string) =>
      `This desk and its notes are deleted for good on ${when}. Save what you want to keep.`,
    save: "Save…",
  },

  tools: {
    label: "Tools",
    look: "Zoom",
    add: "Add a note",
    addShort: "Note",
    color: "Colour for new notes",
    undo: "Undo",
    redo: "Redo",
    bin: "Bin",
    help: "Keys and gestures",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    zoomReset: "Zoom to 100%",
    fit: "Show all notes",
    share: "Share",
  },

  note: {
    empty: "Empty note",
    role: "note",
    editor: "Text of the note",
    resize: "Resize",
    tools: "Note",
    color: (name: string) => `Colour: ${name}`,
    raise: "To the front",
    lower: "To the back",
    edit: "Edit text",
    delete: "Delete",
    toolsOf: (count: number) => `${count} notes`,
    count: (count: number) => `${count} notes`,
    duplicate: "Duplicate",
    deleted: (count: number) => (count === 1 ? "Note deleted" : `${count} notes deleted`),
    beside: {
      left: "New note on the left",
      right: "New note on the right",
      above: "New note above",
      below: "New note below",
    },
    restored: "Note restored",
    editing: (names: readonly string[]) =>
      names.length === 1 ? `${names[0]} is writing` : `${names.join(", ")} are writing`,
    read: "Read all of it",
    whole: "The whole note",
    taken: (who: string | undefined) =>
      who === undefined
        ? "The note that you were writing in was deleted."
        : `${who} deleted the note that you were writing in.`,
    putBack: "Put it back",
  },

  files: {
    title: "Import and export",
    open: "Import and export",
    importHead: "Bring notes in",
    importHint:
      "A board of Sticker Desk, Excalidraw, tldraw, JSON Canvas or Trello, a table as CSV, a list or lines of text. Or drop the file on the desk, or paste.",
    choose: "Choose a file…",
    withDeletedIn: "With the deleted notes of the file",
    exportHead: "Take the desk along",
    exportHint: "As everybody sees it now. JSON and CSV come back exactly.",
    withDeleted: "With deleted notes",
    formats: [
      ["json", "JSON", "everything"],
      ["csv", "CSV", "for spreadsheets"],
      ["md", "Markdown", "the texts as a list"],
      ["pdf", "PDF", "for paper"],
      ["png", "PNG", "a picture"],
      ["svg", "SVG", "a picture, sharp at any size"],
      ["excalidraw", "Excalidraw", "a drawing"],
      ["tldr", "tldraw", "a drawing"],
      ["canvas", "JSON Canvas", "for Obsidian and others"],
    ] as const,
    print: "Print…",
    pending: "Your changes that wait for the line are not in it.",
    exportFailed: "The file could not be made. Try again when you are online.",
    drop: "Drop to bring the notes in",
    imported: (count: number) => plural(count, "note imported", "notes imported"),
    sending: (name: string, part: number) =>
      `Importing ${name === "" ? "the notes" : name} · ${Math.round(part * 100)} %`,
    refused: (name: string, why: string) => `${name} was not imported: ${why}. Nothing was added.`,
    notPasted: (why: string) => `This was not pasted: ${why}. Nothing was added.`,
    tooLarge: (name: string) =>
      `${name} was not imported: it is larger than 32 MiB. Leave pictures and old parts out.`,
    noLine:
      "Nothing was added: so many notes come in at once, and that needs the line. Try again when you are online.",
    noReaders: "Nothing was added: reading files needs the line at first. Try again when you are online.",
  },

  arrange: {
    title: "Arrange",
    left: "Align left",
    center: "Align centres",
    right: "Align right",
    top: "Align top",
    middle: "Align middles",
    bottom: "Align bottom",
    across: "Equal gaps across",
    down: "Equal gaps down",
    tidy: "Tidy up",
  },

  colors: {
    butter: "butter",
    peach: "peach",
    rose: "rose",
    lilac: "lilac",
    sky: "sky",
    mint: "mint",
    lime: "lime",
    white: "white",
  },

  status: {
    saved: "Saved",
    savedTitle: "Every change is stored on the server.",
    saving: "Saving…",
    connecting: "Connecting…",
    offline: "Offline",
    waiting: (head: string, count: number) =>
      `${head} · ${plural(count, "change", "changes")} waiting`,
    offlineShort: (count: number) => `Offline · ${count}`,
    ended: "Not connected",
    endedPending: (count: number) => `Not connected · ${plural(count, "change", "changes")} waiting`,
    endedTitle: "What you see is the desk as it was when the connection ended.",
    keptTitle: "Your unsent changes are kept on this device and are sent when the line is back.",
    notKeptTitle: "Your unsent changes are only in this tab: the browser refuses to store them. Keep it open.",
    idleTitle: "The line is down. You can go on working.",
    unsaved: (count: number) => `${plural(count, "change", "changes")} could not be saved`,
    retry: "Try now",
  },

  people: {
    label: "Who is here",
    you: "You",
    editYou: "Your name and colour",
    name: "Name",
    namePlaceholder: "What others call you",
    color: "Colour of your cursor",
    done: "Done",
    more: (count: number) => `and ${plural(count, "more person", "more people")}`,
    guest: (author: number) => `Guest ${author}`,
    hint: "Shown beside your cursor. Kept on this device only.",
  },

  share: {
    title: "Share this desk",
    edit: "Can edit",
    editHint: "Whoever has this link can write, move and delete notes.",
    view: "Can only view",
    viewHint: "Sees everything live and changes nothing.",
    owner: "Your owner link",
    ownerHint: "Keep it to yourself: it ends the session and manages links, on any device.",
    copy: "Copy link",
    copied: "Copied",
    copyFailed: "Select the link and copy it by hand: the browser does not let the page do it here.",
    make: "Make link",
    linkFailed: "The link could not be made. Try again when you are online.",
    finish: "Finish the session",
    finishHint: "Disconnects everyone. The desk stays until it expires, and people can rejoin.",
    finishNot: "Not now",
    finishConfirm: "Finish for everyone",
    finishFailed: "The session could not be finished. Try again when you are online.",
    close: "Close",
  },

  bin: {
    title: "Bin",
    empty: "Deleted notes wait here until the desk is gone.",
    restore: "Restore",
    close: "Close the bin",
  },

  unsaved: {
    title: "Not saved",
    hint: "The server refused these. Copy what you want to keep.",
    copy: "Copy text",
    dismiss: "Dismiss",
    again: "Stick as a new note",
    purged: "The note was removed for good before your change arrived.",
    unknown: "The session ended before the server confirmed this.",
  },

  ended: {
    home: "Go to the start page",
    copyUnsent: "Copy what was not sent",
    copyAll: "Copy all",
    saveFile: "Save as file",
    keptUntil: (when: string) => `This device keeps its copy until ${when}, for reading.`,
  },

  gone: {
    unknownHead: "No such desk",
    unknownBody: "The link may be mistyped, or its owner has replaced it. Ask whoever sent it for the current one.",
    unreachableHead: "The desk can’t be reached",
    unreachableBody: "There is no line to the server, and this device has no copy of the desk yet. It opens by itself when the line is back.",
    refusedHead: "The server can’t open this desk now",
    kept: "Your last changes had not reached the server. They are still on this device:",
    copyAll: "Copy all text",
    home: "To the start page",
    retry: "Try again",
  },

  help: {
    title: "Keys and gestures",
    close: "Close",
    rows: [
      ["Double-click, N", "New note"],
      ["Enter, double-click", "Write in the note"],
      ["Tab, Ctrl Enter while writing", "The next note beside, below"],
      ["Esc", "Stop writing, select nothing"],
      ["Shift and click, Shift and drag", "Select several notes"],
      ["Ctrl A", "Select all notes"],
      ["Arrows", "Move the notes (Shift: far), or pan the desk"],
      ["Delete", "Delete the notes"],
      ["Ctrl D, Alt and drag", "Duplicate"],
      ["Ctrl C, Ctrl X, Ctrl V", "Copy, cut, paste; pasted lines, cells and boards become notes"],
      ["] and [", "To the front, to the back"],
      ["Ctrl Z, Ctrl Shift Z", "Undo, redo your own changes"],
      ["Wheel, pinch", "Zoom"],
      ["Drag, two fingers, Space and drag", "Pan the desk"],
      ["+ and −, 0, 1", "Zoom in and out, 100%, show all"],
    ],
  },

  time: {
    left(milliseconds: number): string {
      const minutes = Math.floor(milliseconds / 60_000);
      if (milliseconds <= 0) return "no time";
      if (minutes < 1) return `${Math.ceil(milliseconds / 1000)} s`;
      if (minutes < 60) return `${minutes} min`;
      const hours = Math.floor(minutes / 60);
      if (hours < 24) return `${hours} h ${minutes % 60} min`;
      const days = Math.floor(hours / 24);
      return hours % 24 === 0 ? plural(days, "day", "days") : `${plural(days, "day", "days")} ${hours % 24} h`;
    },
  },

  version: {
    fresh: "A newer version of this page is here.",
    load: "Load it",
    unsafe: "Not yet: your unsent changes are only in this tab. Try again when they are saved.",
  },

  fatal: "This browser can’t run the page: WebAssembly is missing or switched off.",
};

/** What the page says, in the reader's language. */
export const text = en;
