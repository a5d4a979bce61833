// Tabs are linked: NumPy or JAX chosen once is chosen everywhere on the page.
addEventListener("change", event => {
  const set = event.target.closest(".tabbed-set")
  if (!set) return
  const name = set.querySelector(`label[for="${event.target.id}"]`).innerText
  const before = set.getBoundingClientRect().top
  for (const label of document.querySelectorAll(".tabbed-labels label"))
    if (label.innerText == name) document.getElementById(label.htmlFor).checked = true
  scrollBy(0, set.getBoundingClientRect().top - before)
})
// What scrolls sideways can be scrolled with the keyboard.
function mend() {
  for (const block of document.querySelectorAll("pre, .diagram, .formula, main > table, article table, p:has(> .math)"))
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0
}
addEventListener("DOMContentLoaded", mend)
addEventListener("resize", mend)
