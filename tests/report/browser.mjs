// Opens pages in Chromium and says what it finds, as JSON: browser.mjs MODULES CHROMIUM JOB.json
// JOB: [{"file": PATH, "width": 390, "scheme": "light", "axe": true, "script": true, "shot": PATH or absent,
//        "print": false, "hash": "#patient-3", "steps": [["focus", SELECTOR], ["press", KEY], ["type", TEXT],
//        ["read", NAME, EXPRESSION]]}]
import {createRequire} from 'node:module';
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';
import {resolve} from 'node:path';

const [modules, executablePath, job] = process.argv.slice(2);
const require = createRequire(pathToFileURL(resolve(modules, 'here.js')));
const {chromium} = require('playwright-core');
const axe = require.resolve('axe-core/axe.min.js');

// The sandbox needs rights that a build machine seldom gives; the pages are our own.
const browser = await chromium.launch({executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage']});
const out = [];
for (const task of JSON.parse(readFileSync(job, 'utf8'))) {
  const found = {file: task.file, errors: [], requests: [], serious: [], read: {}};
  const context = await browser.newContext({viewport: {width: task.width ?? 1440, height: 900},
    colorScheme: task.scheme ?? 'light', javaScriptEnabled: task.script ?? true});
  const page = await context.newPage();
  page.on('console', message => { if (message.type() === 'error') found.errors.push(message.text()); });
  page.on('pageerror', error => found.errors.push(String(error)));
  page.on('request', request => found.requests.push(request.url()));
  const url = pathToFileURL(task.file).href;
  await page.goto(url + (task.hash ?? ''), {waitUntil: 'load', timeout: 120000});
  if (task.print) await page.emulateMedia({media: 'print'});
  found.requests = found.requests.filter(r => r.split('#')[0] !== url);
  for (const [what, ...words] of task.steps ?? []) {
    if (what === 'focus') await page.locator(words[0]).first().focus({timeout: 20000});
    if (what === 'press') await page.keyboard.press(words[0]);
    if (what === 'type') await page.keyboard.type(words[0]);
    if (what === 'read') found.read[words[0]] = await page.evaluate(words[1]);
  }
  // What only a script can see is asked of pages that have one.
  if (task.script ?? true) {
    [found.width, found.over] = await page.evaluate(() => [innerWidth,
      document.documentElement.scrollWidth > innerWidth
        ? [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.parentElement.closest('.wide, pre'))
          .slice(0, 5).map(e => `${e.tagName}.${e.className} ${e.textContent.slice(0, 40)}`).concat('page') : []]);
    if (task.axe) {
      await page.addScriptTag({path: axe});
      const {violations} = await page.evaluate(() => axe.run(document, {resultTypes: ['violations']}));
      found.serious = violations.filter(v => ['serious', 'critical'].includes(v.impact))
        .map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 120)).join(' | ')}`);
      found.minor = violations.filter(v => !['serious', 'critical'].includes(v.impact)).map(v => `${v.id}: ${v.help}`);
    }
  }
  if (task.shot) await page.screenshot({path: task.shot, fullPage: !task.window});
  if (task.pdf) await page.pdf({path: task.pdf, format: 'A4'});
  out.push(found);
  await context.close();
}
await browser.close();
console.log(JSON.stringify(out));
