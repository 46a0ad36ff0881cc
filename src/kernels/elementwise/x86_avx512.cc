#if defined(MOTE_COMPACT)
#include "kernels/epilogue.h"
void mote::kernels::avx512::apply_epilogue(const Epilogue& program, const EpilogueBlock& block) noexcept {
  avx2::apply_epilogue(program, block);
}
#else
#include "kernels/elementwise/generic.h"
#endif
