// MOTE_INLINE: for every function that an ISA-specific file may reach. It is always inlined, so that no copy of it,
// compiled with that file's flags, is left for the linker to share with code that runs on older CPUs. MOTE_ONCE: the
// same of what is large, which a compact build (kernels/compact.h) calls instead; in an ISA's namespace alone.
// MOTE_RESTRICT, MOTE_NOINLINE: the compilers' spellings.
#pragma once

#if defined(__GNUC__)
#define MOTE_INLINE inline __attribute__((always_inline))
#define MOTE_NOINLINE __attribute__((noinline))
#define MOTE_RESTRICT __restrict__
#else
#define MOTE_INLINE inline
#define MOTE_NOINLINE
#define MOTE_RESTRICT
#endif

#if defined(MOTE_COMPACT)
#define MOTE_ONCE inline MOTE_NOINLINE
#else
#define MOTE_ONCE MOTE_INLINE
#endif
