/* The index of the search is as large as everything else, and the theme asks for it with each page, to mark the
   words of a search in the page that it found. Here that waits until the search is opened, or words are to be marked.
   Runs before the theme's script, which asks by an element <script> from disk, by XMLHttpRequest over a network. */
{
  const waiting = [], words = new URLSearchParams(location.search)
  let wanted = words.has("h") || words.has("q")
  const hold = (address, ask) => {
    if (wanted || !address.includes("/search/search_index.js")) return ask()
    waiting.push(ask)
  }
  addEventListener("change", ({ target }) => {
    if (target.id !== "__search") return
    wanted = true
    for (const ask of waiting.splice(0)) ask()
  }, true)

  const { head } = document, append = head.appendChild
  head.appendChild = (node) => { hold(node.src || "", () => append.call(head, node)); return node }
  const { open, send } = XMLHttpRequest.prototype, addresses = new WeakMap()
  XMLHttpRequest.prototype.open = function (...given) { addresses.set(this, String(given[1])); return open.apply(this, given) }
  XMLHttpRequest.prototype.send = function (...given) { hold(addresses.get(this), () => send.apply(this, given)) }
}
