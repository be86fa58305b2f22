// The search page. All texts from the server go into the page by textContent, so none of them can be markup.
"use strict";

const $ = (id) => document.getElementById(id);
const form = $("form");
let about = null; // what there is to choose from
let query = null; // {kind: "words", words} | {kind: "picture", file} | {kind: "item", id, text}
let answer = null; // the answer that is shown
let running = null; // AbortController of the request under way

async function start() {
  try {
    about = await ask("/api/about");
  } catch (error) {
    return complain(error.message);
  }
  $("dataset").textContent = `in ${about.dataset}`;
  document.title = `drsl search: ${about.dataset}`;
  for (const { method, seeds } of about.methods) {
    for (const seed of seeds) {
      const title = seeds.length > 1 ? `${method}, seed ${seed}` : method;
      const option = add("option", $("method"), title);
      option.value = JSON.stringify([method, seed]);
      option.selected = method === about.method && seed === about.seed;
    }
  }
  for (const { split, items } of about.splits) add("option", $("split"), `${split} (${items})`).value = split;
  for (const name of about.classes) add("option", $("only"), name).value = name;
  $("split").value = "test";
  form.hidden = false;
  listen();
  restore();
}

function listen() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const words = $("words").value.trim();
    if (!words) return complain("Type a word or more first.");
    search({ kind: "words", words });
  });
  form.addEventListener("change", (event) => {
    if (event.target === $("picture")) return event.target.files.length && take(event.target.files[0]);
    if (event.target === $("words")) return;
    if (event.target.name === "find") {
      showInputs();
      // Of an item, the other side asks; words find pictures only, and a picture texts only.
      if (query && query.kind !== "item") return;
    }
    if (query) search(query);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
  });
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.add("dropping");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
    else complain("That is not a picture file: save the picture first, then drop the file.");
  });
  $("as-json").addEventListener("click", () => save(JSON.stringify(answer, null, 2), "application/json", "json"));
  $("as-csv").addEventListener("click", async () => {
    try {
      save(await (await send(answer.asked, { ...answer.settings, format: "csv" })).text(), "text/csv", "csv");
    } catch (error) {
      complain(error.message);
    }
  });
  window.addEventListener("popstate", restore);
}

function take(file) {
  if (file.size > about.most_bytes) return complain(`${file.name} has more than ${about.most_bytes >> 20} MiB.`);
  setFind("text");
  search({ kind: "picture", file });
}

function setFind(find) {
  form.elements.find.value = find;
  showInputs();
}

function showInputs() {
  const words = form.elements.find.value === "image";
  $("ask-words").hidden = !words;
  $("ask-picture").hidden = words;
}

function choices() {
  const [method, seed] = JSON.parse($("method").value || JSON.stringify([about.method, about.seed]));
  const chosen = { method, seed, count: $("count").value, split: $("split").value };
  if ($("only").value) chosen.only = $("only").value;
  return chosen;
}

async function search(asked, remember = true) {
  query = asked;
  if (asked.kind === "words") setFind("image");
  if (asked.kind === "picture") setFind("text");
  const settings = choices();
  if (asked.kind === "words") settings.words = asked.words;
  if (asked.kind === "item") Object.assign(settings, { item: asked.id, find: form.elements.find.value });
  if (asked.kind === "picture") settings.name = (asked.file.name || "picture").slice(0, 300);
  if (running) running.abort();
  const mine = (running = new AbortController());
  $("status").textContent = "Searching …";
  $("found").setAttribute("aria-busy", "true");
  try {
    const found = await (await send(asked, settings, mine.signal)).json();
    if (mine !== running) return;
    answer = found;
    // For the downloads: what was asked, beside what was answered; not part of the JSON.
    Object.defineProperties(answer, { asked: { value: asked }, settings: { value: settings } });
    if (remember && asked.kind !== "picture") history.pushState({ text: asked.text }, "", `?${new URLSearchParams(settings)}`);
    if (asked.kind === "picture") history.pushState(null, "", "/");
    show(asked, found);
  } catch (error) {
    if (mine !== running) return;
    $("found").hidden = true;
    complain(error.message);
  } finally {
    if (mine === running) $("found").removeAttribute("aria-busy");
  }
}

// The same request again, as JSON or CSV.
function send(asked, settings, signal) {
  const address = `/api/search?${new URLSearchParams(settings)}`;
  if (asked.kind !== "picture") return reach(address, { signal });
  const headers = { "Content-Type": "application/octet-stream" };
  return reach(address, { method: "POST", body: asked.file, headers, signal });
}

async function ask(address) {
  return (await reach(address)).json();
}

async function reach(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    throw new Error("The server does not answer: is `drsl serve` still running?");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  throw new Error(said.detail || `The server answered with an error (${response.status}).`);
}

function show(asked, found) {
  $("alert").hidden = true;
  const texts = asked.kind === "picture" || (asked.kind === "item" && form.elements.find.value === "text");
  const shown = asked.kind === "words" ? found.query : asked.kind === "picture" ? asked.file.name : asked.text;
  $("title").textContent = `${texts ? "Texts" : "Pictures"} for “${shown || "a picture"}”`;
  const why = found.expected_is_predicted ? "the guess of the query’s own classifier" : "the item’s class";
  $("expected").textContent = `Expected class: ${found.expected} (${why})`;
  $("unknown").hidden = !found.unknown_words.length;
  $("unknown").textContent = `No word vector for: ${found.unknown_words.join(", ")}`;
  showQueryPicture(asked, texts);
  $("hits").replaceChildren(...found.hits.map((hit) => card(hit, texts)));
  $("found").hidden = false;
  $("status").textContent = `${found.hits.length} answers by ${found.method}.`;
}

function showQueryPicture(asked, texts) {
  const picture = $("query-picture");
  if (picture.src.startsWith("blob:")) URL.revokeObjectURL(picture.src);
  picture.hidden = !texts;
  picture.onerror = () => (picture.hidden = true);
  if (asked.kind === "picture") picture.src = URL.createObjectURL(asked.file);
  else if (texts) picture.src = address(asked.id);
  picture.alt = texts ? "the picture that was asked with" : "";
}

function card(hit, texts) {
  const item = document.createElement("li");
  item.className = hit.right ? "right" : "wrong";
  item.dataset.id = hit.id;
  const button = add("button", item);
  button.type = "button";
  button.title = texts ? "Find pictures for this text" : "Find texts for this picture";
  if (hit.image) {
    const picture = add("img", button);
    picture.loading = "lazy";
    picture.alt = texts ? "" : `picture of ${hit.text || hit.id}`;
    picture.src = address(hit.id);
  } else {
    add("span", button, "no picture").className = "no-picture";
  }
  add("span", button, hit.text || hit.id).className = "caption";
  button.addEventListener("click", () => {
    setFind(texts ? "image" : "text");
    search({ kind: "item", id: hit.id, text: hit.text || hit.id });
    scrollTo(0, 0);
    $("title").focus({ preventScroll: true });
  });
  const facts = add("p", item);
  facts.className = "facts";
  add("span", facts, `${hit.rank}. `);
  add("b", facts, hit.right ? "right" : "wrong");
  add("span", facts, `: ${hit.label}`);
  add("br", facts);
  add("span", facts, `score ${hit.score.toFixed(3)}`).className = "score";
  return item;
}

function address(id) {
  return `/api/picture?${new URLSearchParams({ id })}`;
}

function add(tag, parent, text = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  parent.append(element);
  return element;
}

function complain(message) {
  $("status").textContent = "";
  $("alert").textContent = message;
  $("alert").hidden = false;
}

function save(content, type, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = `drsl-${answer.dataset}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// The address names the query, so that it can be kept, sent, and gone back to.
function restore() {
  const named = new URLSearchParams(location.search);
  for (const id of ["count", "split", "only"]) {
    const known = [...$(id).options].some((option) => option.value === named.get(id));
    if (known) $(id).value = named.get(id);
  }
  const method = JSON.stringify([named.get("method"), Number(named.get("seed"))]);
  if ([...$("method").options].some((option) => option.value === method)) $("method").value = method;
  if (named.get("words")) {
    $("words").value = named.get("words");
    search({ kind: "words", words: named.get("words") }, false);
  } else if (named.get("item")) {
    setFind(named.get("find") === "image" ? "image" : "text");
    search({ kind: "item", id: named.get("item"), text: history.state?.text || named.get("item") }, false);
  }
}

start();
