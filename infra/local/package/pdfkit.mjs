// What a bundle takes for `pdfkit` (bundles.ts). The package's build for Node reads its fonts from files next to its code when
// it makes its first page, so in a bundle it fails there. Its build for browsers takes them from its caller. Neither that build
// nor, since esbuild also replaces the start of `pdfkit/standard-fonts`, the fonts can be named but by their files.
import PDFDocument, { registerStdFonts } from '../../../node_modules/pdfkit/js/pdfkit.browser.mjs';
import Helvetica from '../../../node_modules/pdfkit/js/standard-fonts/Helvetica.mjs';
import HelveticaBold from '../../../node_modules/pdfkit/js/standard-fonts/HelveticaBold.mjs';

registerStdFonts(Helvetica, HelveticaBold);

export default PDFDocument;
