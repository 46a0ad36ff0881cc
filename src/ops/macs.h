// How many multiply-adds one run of a module takes, counted by the definitions of its ops, not by how kernels do them.
// Branches count the dearer one, loops their trip count where it is a constant and once elsewhere.
#pragma once

#include "ir/module.h"

namespace mote {

// Of the main function. Types must have been inferred.
Dim count_macs(const Module& module);
// Of one node, its bodies included.
Dim count_macs(const Module& module, const Function& function, const Node& node);

}  // namespace mote
