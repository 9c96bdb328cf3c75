#pragma once

/// Marks what the shared library shows; everything else is hidden.
#if defined(__GNUC__)
#define SVI_EXPORT __attribute__((visibility("default")))
#else
#define SVI_EXPORT
#endif
