// Compiler attributes used everywhere; no functions and no types may live here.
#pragma once

#if defined(__GNUC__) || defined(__clang__)
#define BAREWIRE_LIKELY(x) __builtin_expect(!!(x), 1)
#define BAREWIRE_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define BAREWIRE_INLINE inline __attribute__((always_inline))
#define BAREWIRE_NOINLINE __attribute__((noinline))
#define BAREWIRE_COLD __attribute__((noinline, cold))
#else
#define BAREWIRE_LIKELY(x) (x)
#define BAREWIRE_UNLIKELY(x) (x)
#define BAREWIRE_INLINE inline
#define BAREWIRE_NOINLINE
#define BAREWIRE_COLD
#endif
