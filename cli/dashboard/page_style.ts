/** How the page looks: light and dark, from a telephone to a wall. */
export const STYLE = `
:root { color-scheme: light dark; --paper: #fbfbfa; --card: #fff; --ink: #1c1d1f; --soft: #62666d;
  --line: #e3e4e6; --track: #eceded; --accent: #2563a8; --good: #1a7f46; --bad: #c2281d; --odd: #96650a;
  --bad-paper: #fdf1f0; }
@media (prefers-color-scheme: dark) { :root { --paper: #131417; --card: #1b1d21; --ink: #e6e7e9;
  --soft: #989da6; --line: #2c2f35; --track: #2a2d33; --accent: #6cb0f5; --good: #57c785; --bad: #ff7a6e;
  --odd: #e0b04c; --bad-paper: #2a1d1d; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 14px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
body > header, main, footer { max-width: 1320px; margin: 0 auto; padding: 0 24px; }
body > header { padding-top: 20px; }
.brand { display: flex; justify-content: space-between; color: var(--soft); font-size: 13px; }
.brand b { color: var(--ink); letter-spacing: .02em; }
#connection::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-right: 6px;
  border-radius: 50%; background: var(--soft); }
#connection.live::before { background: var(--good); }
#connection.lost::before { background: var(--bad); }
.title { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 12px; margin-top: 14px; }
h1 { margin: 0; font-size: 22px; font-weight: 650; overflow-wrap: anywhere; }
.detail { flex-basis: 100%; margin: 0; color: var(--soft); overflow-wrap: anywhere; }
.chip { padding: 1px 10px; border: 1px solid var(--line); border-radius: 999px; color: var(--soft);
  font-size: 13px; }
.chip.running { color: var(--good); border-color: currentColor; }
.chip.completed { color: var(--accent); border-color: currentColor; }
.hint, .warning { margin: 10px 0 0; padding: 8px 12px; border-left: 3px solid var(--odd);
  background: var(--card); }
.hint { border-left-color: var(--accent); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(136px, 1fr)); gap: 12px;
  margin: 16px 0 0; }
.tile { padding: 10px 14px; background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.tile dt { color: var(--soft); font-size: 12px; }
.tile dd { margin: 0; font-size: 18px; font-weight: 600; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .odd { color: var(--odd); }
.tile.good, .tile.bad, .tile.odd { color: inherit; }
.tile.good dd { color: var(--good); } .tile.bad dd { color: var(--bad); } .tile.odd dd { color: var(--odd); }
main { display: grid; grid-template-columns: repeat(12, 1fr); gap: 16px; padding-top: 16px;
  padding-bottom: 24px; }
section { grid-column: span 12; padding: 14px 18px 16px; background: var(--card); min-width: 0;
  border: 1px solid var(--line); border-radius: 10px; }
section[hidden] { display: none; }
@media (min-width: 900px) { .span-5 { grid-column: span 5; } .span-6 { grid-column: span 6; }
  .span-7 { grid-column: span 7; } }
h2 { margin: 0 0 6px; font-size: 15px; font-weight: 650; }
.note, .empty, .facts { margin: 0 0 10px; color: var(--soft); font-size: 13px; }
.scroll + .note { margin: 10px 0 0; }
.empty { margin: 0; padding: 18px 0; text-align: center; }
.scroll { overflow: auto; max-height: 640px; } .scroll > svg { min-width: 540px; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 18px 4px 0; text-align: left; vertical-align: middle; font-weight: 400;
  border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
thead th { position: sticky; top: 0; white-space: nowrap; background: var(--card); color: var(--soft);
  font-size: 12px; }
th:last-child, td:last-child { padding-right: 2px; }
th.number, td.number { text-align: right; white-space: nowrap; }
td.wide { width: 55%; }
abbr { text-decoration: underline dotted var(--soft); cursor: help; }
.zero { color: var(--soft); opacity: .7; }
.meter { display: block; width: 100%; min-width: 60px; height: 8px; border-radius: 4px; overflow: hidden; }
.meter .track { fill: var(--track); } .meter .fill { fill: var(--accent); }
.meter.bad .fill { fill: var(--bad); }
svg text { fill: var(--soft); font-size: 11px; font-variant-numeric: tabular-nums; }
svg .grid line { stroke: var(--line); } svg .bar { fill: var(--accent); } svg .hit { fill: transparent; }
svg g:hover > .hit { fill: var(--track); } svg .failed { fill: var(--bad); }
.failures { list-style: none; margin: 0; padding: 0; max-height: 560px; overflow: auto; }
.failures li { margin-top: 8px; padding: 8px 12px; background: var(--bad-paper);
  border-left: 3px solid var(--bad); border-radius: 0 6px 6px 0; }
.failures li p { margin: 0; } .failures .facts a { margin-left: 8px; }
.failures li.new { outline: 2px solid var(--bad); }
.index, .run, .same, .canary { color: var(--soft); } .index { margin-right: 4px; }
.run, .same, .canary { margin-left: 8px; }
.message { overflow-wrap: anywhere; }
.replay { display: flex; gap: 8px; align-items: center; }
code { font: 12.5px/1.6 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace;
  overflow-wrap: anywhere; }
button { font: inherit; font-size: 12px; padding: 0 8px; color: var(--soft); background: none;
  border: 1px solid var(--line); border-radius: 5px; cursor: pointer; }
button:hover { color: var(--ink); border-color: var(--soft); }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.probes { columns: 2 220px; margin: 0; padding: 0; list-style: none; font-size: 13px; }
.probes li { break-inside: avoid; padding: 1px 0; }
details { margin-top: 10px; } summary { color: var(--soft); cursor: pointer; }
footer { padding-bottom: 28px; color: var(--soft); font-size: 13px; }
`;
