import { plurals } from "./plural";

/** Everything the page says in English: whole sentences, so that another language can differ. */

const count = plurals("en");
const changes = (number: number): string => count(number, { one: "change", other: "changes" });

export const en = {
  /** What the sentences about lines are in this language; in English they are the core's. */
  troubles: null,
  /** So are the readers' own words for why a file is no board. */
  unreadable: null,
  report: null,

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
    /** What a desk looks like, for the eye. */
    notes: ["Retro\nat three?", "Cake for\nFriday", "Ask Dana\nabout the map", "What if it\nworked on\nthe train?"],
    people: ["Mira", "Jon"],
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
    board: "Desk. Arrow keys pan, or go from note to note. Plus and minus zoom, N adds a note.",
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
    color: (name: string) => `Colour for new notes: ${name}`,
    colors: "Colours for new notes",
    undo: "Undo",
    redo: "Redo",
    bin: "Bin",
    help: "Keys and gestures",
    zoomIn: "Zoom in",
    zoomOut: "Zoom out",
    zoomReset: "Zoom to 100%",
    fit: "Show all notes",
    map: "Map of the desk",
    share: "Share",
  },

  note: {
    empty: "Empty note",
    role: "note",
    standing: (number: number, all: number, color: string, place: string) =>
      `${number} of ${all}, ${color}, ${place}`,
    places: [
      "top left",
      "top",
      "top right",
      "left",
      "in the middle",
      "right",
      "bottom left",
      "bottom",
      "bottom right",
    ],
    editor: "Text of the note",
    resize: "Resize",
    tools: "Note",
    color: (name: string) => `Colour: ${name}`,
    raise: "To the front",
    lower: "To the back",
    edit: "Edit text",
    delete: "Delete",
    count: (notes: number) => count(notes, { one: "note", other: "notes" }),
    duplicate: "Duplicate",
    deleted: (notes: number) => (notes === 1 ? "Note deleted" : `${notes} notes deleted`),
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
    copyRest: "Copy the rest",
    writtenBy: (who: string | undefined) => `by ${who ?? "someone"}`,
    writtenByYou: "by you",
    lockedRole: "locked note",
    lock: "Lock",
    unlock: "Unlock",
    isLocked: (notes: number) =>
      notes === 1 ? "This note is locked. Unlock it to change it (L)." : `${notes} notes are locked. Unlock them to change them (L).`,
  },

  area: {
    role: "area",
    lockedRole: "locked area",
    empty: "Area without a heading",
    menu: "Areas and templates",
    add: "Area",
  },

  /** Sets of areas, with their headings in reading order. */
  templates: {
    retrospective: { name: "Retrospective", areas: ["Went well", "Could be better", "We will try"] },
    kanban: { name: "Kanban", areas: ["To do", "In progress", "Done"] },
    square: { name: "2 × 2", areas: ["Quick wins", "Big projects", "Fill-ins", "Not now"] },
    brainstorm: { name: "Brainstorm", areas: ["Our question", "Ideas", "Worth a try"] },
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
    imported: (notes: number) => count(notes, { one: "note imported", other: "notes imported" }),
    sending: (name: string, part: string) => `Importing ${name === "" ? "the notes" : name} · ${part}`,
    sendFailed: "Nothing was added: the server did not take the notes. The desk may be full.",
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
    waiting: (head: string, number: number) => `${head} · ${changes(number)} waiting`,
    offlineShort: (number: number) => `Offline · ${number}`,
    ended: "Not connected",
    endedPending: (number: number) => `Not connected · ${changes(number)} waiting`,
    endedTitle: "What you see is the desk as it was when the connection ended.",
    keptTitle: "Your unsent changes are kept on this device and are sent when the line is back.",
    notKeptTitle: "Your unsent changes are only in this tab: the browser refuses to store them. Keep it open.",
    idleTitle: "The line is down. You can go on working.",
    unsaved: (number: number) => `${changes(number)} could not be saved`,
    retry: "Try now",
    carried: (by: string) => `Over ${by}.`,
    plainRequests: "plain requests",
  },

  people: {
    label: "Who is here",
    you: "You",
    editYou: "Your name and colour",
    name: "Name",
    namePlaceholder: "What others call you",
    color: "Colour of your cursor",
    done: "Done",
    more: (people: number) => `and ${count(people, { one: "more person", other: "more people" })}`,
    all: "Everyone here",
    follow: (name: string) => `Follow ${name}`,
    following: (name: string) => `You follow ${name}`,
    unfollow: "Stop",
    guest: (author: number) => `Guest ${author}`,
    hint: "Shown beside your cursor. Kept on this device only.",
    colors: ["orange", "raspberry", "violet", "blue", "teal", "green", "ochre", "grey"],
    animals: ["Otter", "Heron", "Lynx", "Wren", "Badger", "Finch", "Hare", "Owl", "Marten", "Swift"],
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
    not: "Not now",
    finishConfirm: "Finish for everyone",
    qr: "Show the QR code",
    qrHide: "Hide the QR code",
    qrLabel: "The link as a QR code",
    replace: "Replace the link",
    replaceHint: "The old link stops working at once, for everybody who has it.",
    replaceConfirm: "Replace it",
    replaceFailed: "The link could not be replaced. Try again when you are online.",
    ownerHead: "For you, the owner",
    delete: "Delete the desk",
    deleteHint: "The desk and all its notes are gone at once, for everybody. Nothing brings them back.",
    deleteConfirm: "Delete for everyone",
    deleteFailed: "The desk could not be deleted. Try again when you are online.",
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
    rejected: "The server did not take this change. The desk or the note may be full.",
  },

  ended: {
    home: "Go to the start page",
    copyUnsent: "Copy what was not sent",
    copyAll: "Copy all",
    finishedByYou: "You have ended it for everybody. The notes are stored, and the desk stays until it expires.",
    saveFile: "Save as file",
    keptUntil: (when: string) => `This device keeps its copy until ${when}, for reading.`,
  },

  gone: {
    unknownHead: "No such desk",
    unknownBody: "The link may be mistyped, or its owner has replaced it. Ask whoever sent it for the current one.",
    unreachableHead: "The desk can’t be reached",
    unreachableBody: "There is no line to the server, and this device has no copy of the desk yet. It opens by itself when the line is back.",
    refusedHead: "The server can’t open this desk now",
    refusedBody: "It has a fault, or something on the way answers in its place. It is tried again by itself.",
    wrongAddress: "The server does not know the address that this page was opened by. Whoever runs it has to name the address with --public-url.",
    deletedByYou: "You have deleted it for everybody, notes and all.",
    kept: "Your last changes had not reached the server. They are still on this device:",
    copyAll: "Copy all text",
    home: "To the start page",
    retry: "Try again",
  },

  help: {
    title: "Keys and gestures",
    close: "Close",
    letters: "Single letters and signs are keys of the desk",
    snap: "Notes that are dragged hold to the lines and gaps of others",
    /** Each row: keys, joined by blanks; a choice, by commas. */
    keys: [
      ["Make", [
        ["N", "New note"],
        ["Enter", "Write in the note"],
        ["Tab, Ctrl+Enter", "While writing: the next note beside, below"],
        ["Esc", "Stop writing, select nothing"],
        ["Ctrl+D", "Duplicate (or drag with Alt)"],
        ["Ctrl+C, Ctrl+X, Ctrl+V", "Copy, cut, paste; lines, cells and boards become notes"],
      ]],
      ["Select and move", [
        ["← → ↑ ↓", "From note to note; moves what is selected (Shift: far); pans the desk"],
        ["Space, Ctrl+A", "Select the note; all notes"],
        ["Shift", "And a click or a drag: select several"],
        ["Delete", "Delete the notes"],
        ["], [", "To the front, to the back"],
        ["L", "Lock, so that nobody moves or changes it by mistake; unlock"],
        ["Ctrl+→, Ctrl+↓", "Wider, higher; with ← and ↑ smaller"],
        ["Ctrl", "Held in a drag: hold to the lines and gaps of other notes"],
        ["Ctrl+Z, Ctrl+Shift+Z", "Undo, redo your own changes"],
      ]],
      ["Look", [
        ["+, −, 0, 1", "Zoom in and out, 100%, show all"],
        ["Ctrl+F", "Find in notes"],
        ["M", "A map of the whole desk"],
        ["V, Shift+V", "While there is a vote: vote for the note, take a vote back"],
        ["Space", "And a drag: pan the desk"],
        ["?", "This list"],
      ]],
    ] as const,
    touch: [
      ["Double-tap the desk", "New note"],
      ["Double-tap a note", "Write in it"],
      ["Tap, drag", "Select a note, move it"],
      ["Drag the desk", "Pan"],
      ["Two fingers", "Zoom and pan"],
      ["Pull the corner", "Resize the note"],
      ["… on a note", "Read all of it"],
    ] as const,
    fingers: "With fingers",
  },

  time: {
    clock(milliseconds: number): string {
      const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
      return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    },
    left(milliseconds: number): string {
      const minutes = Math.floor(milliseconds / 60_000);
      if (milliseconds <= 0) return "no time";
      if (minutes < 1) return `${Math.ceil(milliseconds / 1000)} s`;
      if (minutes < 60) return `${minutes} min`;
      const hours = Math.floor(minutes / 60);
      if (hours < 24) return `${hours} h ${minutes % 60} min`;
      const days = Math.floor(hours / 24);
      const whole = count(days, { one: "day", other: "days" });
      return hours % 24 === 0 ? whole : `${whole} ${hours % 24} h`;
    },
  },

  find: {
    open: "Find in notes",
    label: "Find in notes",
    none: "Nothing found",
    count: (number: number, all: number) => `${number} of ${all}`,
    next: "Next note",
    previous: "Previous note",
    close: "Close the search",
  },

  /** Why a change was not made. */
  refusals: {
    read_only: "This link shows the desk and changes nothing.",
    ended: "The desk can’t be changed any more.",
    no_note: "This note is gone.",
    text_too_long: (left: number, most: number) =>
      `A note holds ${count(most, { one: "character", other: "characters" })}: ${count(left, { one: "character was", other: "characters were" })} left out.`,
    too_many_notes: (most: number) => `A desk holds ${count(most, { one: "note", other: "notes" })}, and this one is full.`,
    desk_too_large: "This desk is full. Delete what is not needed any more.",
    too_much_at_once: "This is too much at once. Do it in parts.",
    fault: "This could not be done.",
  },

  workshop: {
    title: "Workshop",
    close: "Close the workshop’s tools",
    now: "Under way",
    timer: "Timer",
    minutes: (minutes: number) => `${minutes} min`,
    startFor: (minutes: number) => `Start: ${minutes} min`,
    ownMinutes: "Minutes",
    start: "Start",
    pause: "Pause",
    resume: "Go on",
    more: "+1 min",
    stop: "Stop",
    sound: "A soft sound at the end, on this device",
    running: "The timer is running.",
    paused: "The timer is paused.",
    lastMinute: "One minute is left.",
    over: "Time is up.",
    voting: "Voting",
    each: "Votes a person",
    openRound: "Start voting",
    reveal: "Reveal the votes",
    endRound: "End voting",
    left: (left: number, all: number) => `${left} of ${count(all, { one: "vote", other: "votes" })} left`,
    votingOpen: (all: number) => `Voting has begun: ${count(all, { one: "vote", other: "votes" })} for each.`,
    revealed: "The votes are revealed.",
    noVotes: "Nobody has voted.",
    noneLeft: "You have given all your votes. Take one back to give it elsewhere.",
    give: (note: string) => `Vote for: ${note}`,
    giveShort: "Vote",
    takeBack: (note: string) => `Take a vote back from: ${note}`,
    takeBackShort: "Take a vote back (Shift V)",
    mine: (votes: number) => `Your votes here: ${votes}`,
    votes: (votes: number) => count(votes, { one: "vote", other: "votes" }),
    votesHint: "Until they are revealed, only the page hides the votes of others. Whoever reads the desk with a program sees them.",
    apart: "Private writing",
    apartHint: "Private writing: new notes of others are hidden until they are revealed.",
    writeApart: "Start private writing",
    showAll: "Reveal all notes",
    apartNote: "New notes of others are blank until somebody reveals them. Only the page hides them: a program or an export shows them.",
    hidden: "Hidden until revealed",
    cannotWrite: "This note is hidden until it is revealed.",
    call: "Bring everyone",
    bring: "Bring everyone to my view",
    stay: "Ask me before I am brought elsewhere",
    brought: (who: string) => `${who} brought everyone here.`,
    asks: (who: string) => `${who} asks everyone to look elsewhere.`,
    goBack: "Go back",
    goThere: "Go there",
    stayHere: "Stay here",
  },

  language: {
    label: "Language",
  },

  version: {
    fresh: "A newer version of this page is here.",
    load: "Load it",
    missing: "This part of the page could not be loaded. Try again when you are online, or load the page anew.",
    unsafe: "Not yet: your unsent changes are only in this tab. Try again when they are saved.",
  },
};
