#pragma once

#include <string>
#include <string_view>

#include "svi/core/export.hpp"

namespace svi {

// Text in and out is UTF-8; bytes that are not count as U+FFFD. None of these throws.

/// A prompt as Wan's pipelines clean it before tokenizing: fix_text, unescape_html twice, then runs
/// of white space become single spaces and those at the ends go.
SVI_EXPORT std::string clean_prompt(std::string_view text);

/// Repairs text as ftfy 6.3's fix_text does by default (https://ftfy.readthedocs.io): HTML entities
/// (until a `<` is seen), mojibake, C1 controls, Latin ligatures, full-width forms, curly quotes,
/// line breaks, terminal escapes, control characters, then NFC.
///
/// Text that is not mojibake comes out as ftfy's does. Mojibake is judged by rules of our own: a
/// run of characters that are valid UTF-8 bytes in another encoding (windows-1252 and, for whole
/// lines, windows-1250, -1251, -1253, -1254 and -1257, ISO 8859-2, Mac Roman, code page 437) is
/// decoded if it could hardly have been meant. Of the 444 mojibake lines of tests/data/encoder, 392
/// come out as ftfy's do; most of the others are repaired here and left alone there. Known
/// differences from ftfy: bytes lost on the way (shown as ? or U+FFFD) are not guessed at, lone
/// accented letters are repaired in more encodings, and words in capitals keep the punctuation after
/// them ("IRMÃ”").
SVI_EXPORT std::string fix_text(std::string_view text);

/// Decodes HTML character references, with or without semicolon, as the HTML standard (13.2.5.72)
/// and Python's html.unescape do.
SVI_EXPORT std::string unescape_html(std::string_view text);

}  // namespace svi
