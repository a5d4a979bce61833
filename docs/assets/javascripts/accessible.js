// What the theme leaves out: a name for the search, and a way to scroll wide blocks with the keyboard.
function mend() {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search")
  for (const block of document.querySelectorAll(".md-typeset pre > code, .md-typeset .diagram, .md-typeset__scrollwrap, .md-typeset__table, .formula, .highlighttable, .linenodiv, p:has(> .math)"))
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0
}
addEventListener("DOMContentLoaded", () => setTimeout(mend, 50))
addEventListener("resize", mend)
addEventListener("change", () => setTimeout(mend, 50))
