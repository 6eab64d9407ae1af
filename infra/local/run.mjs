/**
 * `node infra/local/run.mjs <command> [args]`: what every npm script runs. It uses only Node's built-ins, as it runs before
 * anything is installed. It installs, builds, and then runs the command in this same process, so that a signal to npm
 * reaches one process and not a chain of shells.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NEEDED = [20, 19];
const BUG = 1;
const CONFIGURATION = 78;
const TERMINATED = 143;
/** Commands that must work while our own code does not compile: they start none of it, or report the errors themselves. */
const SURVIVE_BROKEN_BUILD = new Set(['services', 'build', 'check']);
const OF_THE_APP = 'functions/commands';
/** The folders of commands. The bench is its own folder, as it measures what the other commands start. */
const FOLDERS = ['infra/local', 'bench', OF_THE_APP];

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const parent = process.ppid;

function stop(message, code) {
  if (message) process.stderr.write(`${message}\n`);
  process.exit(code);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])) return;
  stop(`disparo needs Node ${NEEDED.join('.')} or newer; this is ${process.versions.node}`, CONFIGURATION);
}

/** Runs a program to its end with the terminal's own streams. If our caller is gone by then, we exit, too. */
function runToEnd(command, args) {
  const { status, signal, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (signal || process.ppid !== parent) process.exit(TERMINATED);
  if (error) process.stderr.write(`${command}: ${error.message}\n`);
  return error ? BUG : (status ?? BUG);
}

/**
 * Installs what package-lock.json says, unless that is up to date: npm finished an installation after the lock file was
 * written (npm writes its hidden lock file last), or the stamp has the hash of the lock file, as a git checkout touches
 * files.
 */
function install() {
  const lock = join(root, 'package-lock.json');
  const finished = join(root, 'node_modules', '.package-lock.json');
  const stamp = join(root, 'node_modules', '.disparo-installed');
  const hash = createHash('sha256').update(readFileSync(lock)).digest('hex');
  if (existsSync(finished) && statSync(finished).mtimeMs >= statSync(lock).mtimeMs) return;
  if (existsSync(finished) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return;
  process.stdout.write('Installing the npm packages of package-lock.json ...\n');
  const args = ['ci', '--include=dev', '--no-fund', '--no-audit', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const code = npm ? runToEnd(process.execPath, [npm, ...args]) : runToEnd('npm', args);
  if (code !== 0) stop('The npm packages could not be installed; the lines above say why. Try again with: npm ci', BUG);
  writeFileSync(stamp, hash);
}

async function build() {
  if (!existsSync(join(root, 'dist'))) process.stdout.write('Building ...\n');
  const code = runToEnd(process.execPath, [
    join('node_modules', 'typescript', 'bin', 'tsc'),
    '-b',
    'consumer/typescript',
    '.',
  ]);
  const isBuilt = code === 0 && (await bundle());
  if (!isBuilt && !SURVIVE_BROKEN_BUILD.has(command)) stop('The build failed; the lines above say where.', BUG);
}

async function bundle() {
  const { makeBundles } = await load('infra/local/package/bundles.js');
  return makeBundles().then(
    () => true,
    // esbuild has printed what is wrong; any other error is a bug.
    (error) => {
      if (!error.errors) throw error;
      return false;
    },
  );
}

/** A module of what is built. */
function load(file) {
  return import(pathToFileURL(join(root, 'dist', file)).href);
}

/**
 * The names of the commands in a folder. A command is a file with a default export: a function, as in `start.ts` of
 * `npm start`, or in functions/commands a declaration of what is done with the app.
 */
function commandsIn(folder) {
  const sources = readdirSync(join(root, folder)).filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'));
  return sources
    .filter((file) => /^export default /m.test(readFileSync(join(root, folder, file), 'utf8')))
    .map((file) => file.slice(0, -3));
}

async function run(command, args) {
  const { default: found } = await load(`${FOLDER_OF[command]}/${command}.js`);
  if (FOLDER_OF[command] !== OF_THE_APP) return found(args);
  const { runAppCommand } = await load('infra/local/supervise/app-command.js');
  return runAppCommand(command, found, args);
}

/**
 * A reader that leaves is no failure, as in `npm run status | head`. A command that runs until it is stopped handles this
 * itself.
 */
function surviveClosedPipes() {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (error.code !== 'EPIPE') throw error;
    });
}

const [command = '', ...given] = process.argv.slice(2);
const help = given.some((arg) => arg === '--help' || arg === '-h');
/** No command knows --help, so each prints its usage before it starts anything. */
const args = help ? ['--help'] : given;
surviveClosedPipes();
const FOLDER_OF = Object.fromEntries(FOLDERS.flatMap((folder) => commandsIn(folder).map((name) => [name, folder])));
if (!Object.hasOwn(FOLDER_OF, command))
  stop(`usage: node infra/local/run.mjs ${Object.keys(FOLDER_OF).sort().join(' | ')}`, CONFIGURATION);
checkNode();
process.chdir(root);
install();
await build();
try {
  process.exit(await run(command, args));
} catch (error) {
  if (help && error?.message?.startsWith('usage: ')) {
    process.stdout.write(`${error.message}\n`);
    process.exit(0);
  }
  if (typeof error?.exitCode === 'number') stop(error.message, error.exitCode);
  if (error?.name === 'ConfigurationError') stop(error.message, CONFIGURATION);
  stop(error?.stack ?? String(error), BUG);
}
