// A program of elementwise ops applied to a value v in one pass: a chain of its own (elementwise/), or what follows a
// dot or a conv before its result is stored. Each op replaces v; f32 throughout.
#pragma once

#include <cstdint>

#include "kernels/opcode.h"

namespace mote::kernels {

enum class Form : std::uint8_t {
  kUnary,     // v = f(v)
  kBinary,    // v = f(v, x)
  kReversed,  // v = f(x, v)
  kSelect,    // v = x != 0 ? v : y
};

inline constexpr std::int8_t kImmediate = -1;  // x is the immediate a
inline constexpr std::int8_t kStart = -2;      // x is the value that v had at the start of the program

struct EpilogueOp {
  Form form;
  std::uint8_t opcode;   // UnaryOp or BinaryOp, by form
  std::int8_t operand;   // x: an index, kImmediate or kStart
  std::int8_t operand2;  // y, of kSelect
  float a, b;            // immediates
};

constexpr EpilogueOp unary(UnaryOp op, float a = 0, float b = 0) {
  return {Form::kUnary, static_cast<std::uint8_t>(op), kImmediate, kImmediate, a, b};
}
constexpr EpilogueOp binary(BinaryOp op, int operand, bool reversed = false) {
  return {reversed ? Form::kReversed : Form::kBinary,
          static_cast<std::uint8_t>(op),
          static_cast<std::int8_t>(operand),
          kImmediate,
          0,
          0};
}
constexpr EpilogueOp binary_immediate(BinaryOp op, float a, bool reversed = false) {
  return {reversed ? Form::kReversed : Form::kBinary, static_cast<std::uint8_t>(op), kImmediate, kImmediate, a, 0};
}

// A tensor operand of a program whose result is a matrix of rows (pixels) and columns (channels). Strides in elements;
// row_stride is any, col_stride is 1 or 0 (one value per row).
struct EpilogueOperand {
  const float* data;
  std::int64_t row_stride;
  std::int64_t col_stride;
};

inline constexpr int kMaxProgramOps = 16;
inline constexpr int kMaxProgramOperands = 8;

struct Epilogue {
  int count = 0;
  EpilogueOp ops[kMaxProgramOps];
  EpilogueOperand operands[kMaxProgramOperands];
};

// Finished results in place: `rows` rows of n values, c_row apart; the first is the part of the program's row `row`
// that starts at its column `col`, the next lie row_step further.
struct EpilogueBlock {
  float* c;
  std::int64_t c_row, rows, n;
  std::int64_t row, row_step, col;
};

// Applies the program to a block. Defined per ISA by elementwise/; a kernel calls MOTE_SIMD_BASE_NS::apply_epilogue
// (vec.h). The bits do not depend on the ISA, nor on how the results are cut into blocks.
#define MOTE_DECLARE_EPILOGUE(ns)                                                    \
  namespace ns {                                                                     \
  void apply_epilogue(const Epilogue& program, const EpilogueBlock& block) noexcept; \
  }
MOTE_DECLARE_EPILOGUE(scalar)
MOTE_DECLARE_EPILOGUE(avx2)
MOTE_DECLARE_EPILOGUE(avx512)
MOTE_DECLARE_EPILOGUE(neon)
#undef MOTE_DECLARE_EPILOGUE

}  // namespace mote::kernels
