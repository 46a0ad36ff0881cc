// What the tables of kernels share. A family's kernels.inc lists its rows, one per ISA and best first; the last is
// generic. MOTE_IF_<namespace>(x) is x, or null in a build that does not contain the namespace's files: for another
// architecture, or left out by the build option MOTE_ISA, which defines MOTE_WITHOUT_<namespace>.
#pragma once

#include <span>
#include <string_view>

#include "base/cpu.h"

#if defined(__x86_64__) && !defined(MOTE_WITHOUT_avx512bf16)
#define MOTE_IF_avx512bf16(x) x
#else
#define MOTE_IF_avx512bf16(x) nullptr
#endif
#if defined(__x86_64__) && !defined(MOTE_WITHOUT_avx512vnni)
#define MOTE_IF_avx512vnni(x) x
#else
#define MOTE_IF_avx512vnni(x) nullptr
#endif
#if defined(__x86_64__) && !defined(MOTE_WITHOUT_avx512)
#define MOTE_IF_avx512(x) x
#else
#define MOTE_IF_avx512(x) nullptr
#endif
#if defined(__x86_64__) && !defined(MOTE_WITHOUT_avxvnni)
#define MOTE_IF_avxvnni(x) x
#else
#define MOTE_IF_avxvnni(x) nullptr
#endif
#if defined(__x86_64__) && !defined(MOTE_WITHOUT_avx2)
#define MOTE_IF_avx2(x) x
#else
#define MOTE_IF_avx2(x) nullptr
#endif
#if defined(__aarch64__) && !defined(MOTE_WITHOUT_neon)
#define MOTE_IF_neon(x) x
#else
#define MOTE_IF_neon(x) nullptr
#endif
#if defined(__aarch64__) && !defined(MOTE_WITHOUT_neondot)
#define MOTE_IF_neondot(x) x
#else
#define MOTE_IF_neondot(x) nullptr
#endif
#if defined(__aarch64__) && !defined(MOTE_WITHOUT_i8mm)
#define MOTE_IF_i8mm(x) x
#else
#define MOTE_IF_i8mm(x) nullptr
#endif
#define MOTE_IF_scalar(x) x

// MOTE_SHARED(ns)::f is ns::f, or, in a compact build, what AVX2's f does as well.
#if defined(MOTE_COMPACT)
#define MOTE_SHARED_avx512vnni avx2
#define MOTE_SHARED_avx512 avx2
#define MOTE_SHARED_avxvnni avx2
#else
#define MOTE_SHARED_avx512vnni avx512vnni
#define MOTE_SHARED_avx512 avx512
#define MOTE_SHARED_avxvnni avxvnni
#endif
#define MOTE_SHARED_avx2 avx2
#define MOTE_SHARED_i8mm i8mm
#define MOTE_SHARED_neondot neondot
#define MOTE_SHARED_neon neon
#define MOTE_SHARED_scalar scalar
#define MOTE_SHARED(ns) MOTE_SHARED_##ns

namespace mote::kernels {

// The best row for a CPU, which may be another than this one.
template <class Row>
const Row& select_row(std::span<const Row> rows, const CpuFeatures& cpu) {
  for (const Row& row : rows.first(rows.size() - 1)) {
    if (cpu.has(row.isa)) return row;
  }
  return rows.back();
}

// The row of that name, or null.
template <class Row>
const Row* find_row(std::span<const Row> rows, std::string_view name) {
  for (const Row& row : rows) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

}  // namespace mote::kernels
