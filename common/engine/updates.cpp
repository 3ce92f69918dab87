// SPDX-License-Identifier: Apache-2.0
#include "common/engine/updates.hpp"

#include "common/engine/isa.hpp"

namespace entente::engine {

// Defined by kernels/updates.cpp, once in each build of it.
namespace kernels_generic {
extern const UpdateKernels<float> updates_float32;
extern const UpdateKernels<double> updates_float64;
}  // namespace kernels_generic
#ifdef ENTENTE_X86_KERNELS
namespace kernels_v2 {
extern const UpdateKernels<float> updates_float32;
}
namespace kernels_v3 {
extern const UpdateKernels<float> updates_float32;
}
namespace kernels_v4 {
extern const UpdateKernels<float> updates_float32;
}
#endif

template <>
const UpdateKernels<float>& update_kernels_of<float>(Isa isa) {
#ifdef ENTENTE_X86_KERNELS
  if (isa == Isa::v2) return kernels_v2::updates_float32;
  if (isa == Isa::v3) return kernels_v3::updates_float32;
  if (isa == Isa::v4) return kernels_v4::updates_float32;
#endif
  static_cast<void>(isa);
  return kernels_generic::updates_float32;
}

template <>
const UpdateKernels<double>& update_kernels_of<double>(Isa) {
  return kernels_generic::updates_float64;
}

}  // namespace entente::engine
