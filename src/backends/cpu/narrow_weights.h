// Weights of products that are kept in 16 bits.
#pragma once

#include "kernels/dot/narrow.h"
#include "plan/target.h"

namespace mote::cpu {

// How kernels/dot is to keep a constant: in f16 or bf16 where that holds every element exactly, since the file does so
// or --precision has rounded it, and where there are enough of them that memory counts; else in f32.
kernels::dot::Store store_for(const Constant& weights);

// ", weights in f16, widened in registers", or why weights of 16 bits are widened when they are packed; empty for f32.
std::string why_store(const Constant& weights, kernels::dot::Store store);

// `name` of a packing, with what it is stored in.
std::string packing_name(std::string name, kernels::dot::Store store);

}  // namespace mote::cpu
