// SPDX-License-Identifier: Apache-2.0
#include "common/engine/isa.hpp"

#include <cstdlib>
#include <string>

#include "common/engine/kernels.hpp"

namespace entente::engine {

// Defined by kernels/kernels.cpp, once in each build of it.
namespace kernels_generic {
extern const Kernels<float> kernels_float32;
extern const Kernels<double> kernels_float64;
}  // namespace kernels_generic
#ifdef ENTENTE_X86_KERNELS
namespace kernels_v2 {
extern const Kernels<float> kernels_float32;
}
namespace kernels_v3 {
extern const Kernels<float> kernels_float32;
}
namespace kernels_v4 {
extern const Kernels<float> kernels_float32;
}
#endif

namespace {

constexpr Isa all_isas[] = {Isa::generic, Isa::v2, Isa::v3, Isa::v4};

std::string names_of(const std::vector<Isa>& isas) {
  std::string text;
  for (const Isa isa : isas) text += (text.empty() ? "" : ", ") + std::string(to_string(isa));
  return text;
}

}  // namespace

std::string_view to_string(Isa isa) {
  switch (isa) {
    case Isa::generic:
      return "generic";
    case Isa::v2:
      return "v2";
    case Isa::v3:
      return "v3";
    case Isa::v4:
      return "v4";
  }
  return "?";
}

bool supported(Isa isa) {
#ifdef ENTENTE_X86_KERNELS
  const bool v2 = __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") &&
                  __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                  __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  if (isa == Isa::v2) return v2;
  if (isa == Isa::v3) return v3;
  if (isa == Isa::v4) return v4;
#endif
  return isa == Isa::generic;
}

std::vector<Isa> supported_isas() {
  std::vector<Isa> found;
  for (const Isa isa : all_isas) {
    if (supported(isa)) found.push_back(isa);
  }
  return found;
}

Result<Isa> choose_isa(std::string_view requested) {
  const std::vector<Isa> here = supported_isas();
  if (requested.empty()) return here.back();
  for (const Isa isa : all_isas) {
    if (requested != to_string(isa)) continue;
    if (supported(isa)) return isa;
    return Error{Errc::invalid_argument,
                 "ENTENTE_ISA is '" + std::string(requested) +
                     "', which this build or processor does not have; it has " + names_of(here)};
  }
  return Error{Errc::invalid_argument,
               "ENTENTE_ISA is '" + std::string(requested) +
                   "'; expected v2, v3, v4 or generic (unset: the best, here " +
                   std::string(to_string(here.back())) + ")"};
}

Result<Isa> chosen_isa() {
  static const Result<Isa> choice = [] {
    const char* requested = std::getenv("ENTENTE_ISA");
    return choose_isa(requested == nullptr ? "" : requested);
  }();
  return choice;
}

template <>
const Kernels<float>& kernels_of<float>(Isa isa) {
#ifdef ENTENTE_X86_KERNELS
  if (isa == Isa::v2) return kernels_v2::kernels_float32;
  if (isa == Isa::v3) return kernels_v3::kernels_float32;
  if (isa == Isa::v4) return kernels_v4::kernels_float32;
#endif
  static_cast<void>(isa);
  return kernels_generic::kernels_float32;
}

template <>
const Kernels<double>& kernels_of<double>(Isa) {
  return kernels_generic::kernels_float64;
}

}  // namespace entente::engine
