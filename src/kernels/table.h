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
