// A stable sort of a few items that takes no memory, as std::stable_sort does: setups run for every new shape.
#pragma once

#include <utility>

namespace mote::kernels {

template <class T, class Less>
void sort_few(T* begin, T* end, const Less& less) {
  for (T* i = begin; i != end; ++i) {
    for (T* k = i; k != begin && less(*k, *(k - 1)); --k) std::swap(*k, *(k - 1));
  }
}

}  // namespace mote::kernels
