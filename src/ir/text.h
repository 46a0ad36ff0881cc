// The text form of a module: print() and parse() are inverse to each other, up to the numbering of values and the
// merging of equal constants without a name.
//
//   module "resnet"
//   symbol N = 1..64
//   meta "producer" = "pytorch"
//   const @w: f32[2,3] = [1, 2, 3, 4, 5, 6]
//   const @v: f32[64,3,7,7] = external "resnet.onnx" 1024 37632         (offset and size in bytes)
//   const @t: f16[3,2] from f32[2,3] = hex "0000803f..." transpose [1,0] cast f16
//   const @z: f32[1000] = fill [0.5] scale [0] [1.0,0.5,...]
//   signature "main" = @main { state "cache" = input 1, output 1 }
//   func @main(%x: f32[N,3], %past: f32[N,2]) -> (%y, %h) {
//     %h: f32[N,2] = matmul(%x, @w) {trans_b=1} "encoder"
//     %y: f32[N,2], _ = if(f32(0.5), %h, _) [@then, @else] "/if"        (an absent output, an absent input, bodies)
//     let %alias = @w                                                   (a constant's value under a name of its own)
//   }
//
// Names are those of the module: bare when made of letters, digits and _ . / $, else quoted; "%h#2" is the second
// value named h, "%#1" the first without a name. A node's name follows it where it differs from its first output's.
// Types are as Type::to_string prints them, attributes as ir/attr.h does. "// ..." is a comment.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "ir/module.h"

namespace mote {

struct PrintOptions {
  std::size_t inline_elements = 32;  // constants of at most this many elements are printed by value
  std::size_t hex_bytes = 4096;      // constants of more bytes are printed as a range of their source, if it has a name
};

std::string print(const Module& module, const PrintOptions& options = {});
// One function, without the module around it.
std::string print_function(const Module& module, FunctionId function, const PrintOptions& options = {});

struct TextOptions {
  // Gives the source that `external` constants name; without it they are refused.
  std::function<Result<std::shared_ptr<const Source>>(std::string_view name)> source;
  std::size_t max_items = 10'000'000;  // nodes, values, operands, attributes and elements of constants
};

// Errors name the line and the column. What parses is well-formed text, not yet a valid module: see ir/verify.h.
Result<Module> parse(std::string_view text, const OpLookup& ops, const TextOptions& options = {});

// What Type::to_string prints.
Result<Type> parse_type(std::string_view text);

}  // namespace mote
