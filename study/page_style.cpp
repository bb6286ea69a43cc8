#include <weft/study/page.h>

namespace weft::study {

// Colours of words reach 4.5 to 1 on their ground, those of lines 3 to 1, in light and in dark.
const char* const page_style =
    R"css(:root { color-scheme: light dark; --ink: #1b1f24; --soft: #56606b; --line: #d1d9e0; --paper: #fff; --mark: #0b6e4f; --shade: #f1f4f6; --edge: #76818c;
  --line1: #0072b2; --line2: #b84d00; --line3: #007d5b; --line4: #a8487f; --line5: #8a6400; --line6: #2e7fae; --line7: #333; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #a3aeb9; --line: #3a424c; --paper: #14181d; --mark: #5bd1a5; --shade: #1d232a; --edge: #8b96a1;
  --line1: #56b4e9; --line2: #f0954d; --line3: #46cfa0; --line4: #e396c4; --line5: #e0bb45; --line6: #9ed3f5; --line7: #ddd; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; } h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
a { color: var(--mark); } :focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
p { max-width: 48rem; margin: .6rem 0; } ul.plain { max-width: 48rem; padding-left: 1.2rem; }
.soft, figcaption small { color: var(--soft); font-size: .9rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; list-style: none; padding: 0; margin: .8rem 0; } nav a { display: inline-block; padding: .2rem 0; }
/* A shadow at the right edge for as long as there is more to scroll to. */
.wide { overflow-x: auto; background: linear-gradient(to left, var(--paper) 1rem, transparent) 100% 0 / 2rem 100% no-repeat local, linear-gradient(to left, var(--line), transparent) 100% 0 / .8rem 100% no-repeat scroll; } .tall { max-height: 34rem; overflow-y: auto; border-bottom: 1px solid var(--edge); } .tall thead th { position: sticky; top: 0; background: var(--paper); box-shadow: 0 1px var(--edge); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: min(100%, 34rem); overflow-wrap: normal; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; vertical-align: baseline; }
thead th { white-space: normal; vertical-align: bottom; } th:first-child, .left { text-align: left; } tbody th { font-weight: 400; }
tr.chosen th, tr.chosen td { font-weight: 700; background: var(--shade); } tr.chosen small { font-weight: 400; }
td.main small { color: var(--soft); font-size: .9em; margin: 0 .6rem; } tr.chosen td.main small { color: var(--ink); }
td.main small { display: inline-block; min-width: 6.6rem; } svg.whisker { vertical-align: middle; } svg.bar { display: inline-block; vertical-align: middle; margin-left: .4rem; }
th button { font: inherit; color: inherit; background: none; border: 0; padding: .2rem 0; margin: 0; text-align: inherit; cursor: pointer; font-weight: 700; min-height: 1.6rem; }
th button::after { content: " \2195"; color: var(--soft); font-weight: 400; } th[aria-sort=ascending] button::after { content: " \2191"; color: var(--ink); } th[aria-sort=descending] button::after { content: " \2193"; color: var(--ink); }
tbody th button { color: var(--mark); text-decoration: underline; font-weight: 400; } tbody th button::after { content: none; }
.tools { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; margin: .6rem 0; } .tools label { display: grid; font-size: .9rem; color: var(--soft); }
input, select, .tools button, .card button { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--edge); border-radius: .3rem; padding: .35rem .5rem; max-width: 100%; }
.tools output { font-size: .9rem; color: var(--soft); padding: .35rem 0; } .tools button, .card button { cursor: pointer; background: var(--shade); }
#patient-list th, #patient-list td { text-align: left; } #patient-list th:first-child { max-width: 14rem; white-space: normal; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1.4rem; margin: 1rem 0; } figure { margin: 0; } figcaption { font-weight: 600; }
figure > svg { width: 100%; max-width: 30rem; height: auto; display: block; color: var(--soft); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem .9rem; padding: 0; margin: .2rem 0; font-size: .85rem; } .sample { vertical-align: middle; }
pre { background: var(--shade); padding: .8rem; overflow-x: auto; font-size: .85rem; } summary { cursor: pointer; padding: .3rem 0; }
.answer { border-left: .3rem solid var(--mark); padding: .1rem 0 .1rem .9rem; margin: .8rem 0; }
dl.facts { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .3rem 1rem; max-width: 48rem; } dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; }
.card { border: 1px solid var(--edge); border-radius: .5rem; padding: .2rem 1rem 1rem; margin: 1rem 0; } .card h3 { font-size: 1.15rem; margin: .8rem 0 .2rem; } .card h4 { margin: 1.2rem 0 .2rem; font-size: 1rem; }
.card .big { font-size: 1.25rem; margin: .3rem 0; } .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 0 2rem; align-items: start; } .columns > * { min-width: 0; }
[hidden] { display: none !important; }
@media (max-width: 40rem) {
  th, td { padding: .3rem .35rem; } .card table { font-size: .85rem; } table { font-size: .92rem; } th:first-child { white-space: normal; min-width: 6rem; }
  td.main small, td.main svg { display: block; margin: 0; } svg.bar { width: 2.6rem; height: .35rem; margin-left: .2rem; } .card { padding: .1rem .7rem .7rem; } dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .5rem; }
}
@media print {
  :root { color-scheme: light; font-size: 10pt; } @page { margin: 15mm; } body { max-width: none; padding: 0; font-size: 1rem; }
  .one-card header, .one-card section:not(#patients), .one-card #patients > :not(#cards), .one-card .card:not(.alone) { display: none; }
  nav, .tools, .card button { display: none !important; } .wide, .tall { overflow: visible; max-height: none; } table { font-size: 8pt; } th, td { white-space: normal; padding: .15rem .3rem; }
  th button { min-height: 0; padding: 0; } th button::after { content: none !important; } tbody th button { color: inherit; text-decoration: none; } .tall thead th { position: static; }
  figure, tr, .answer { break-inside: avoid; } h2, h3, h4 { break-after: avoid; } .figures { grid-template-columns: 1fr 1fr; } .card { break-before: page; border: 0; padding: 0; } pre { white-space: pre-wrap; }
}
)css";

}  // namespace weft::study
