// SPDX-License-Identifier: Apache-2.0
//
// While it lives, this thread's floating-point results and operands below the normal range count as
// zero (they would slow down some processors a hundredfold); afterwards the thread is as it was.
// Every task of the engine holds one, so that the bits do not depend on whose thread it runs on.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace entente::engine {

class FlushDenormals {
 public:
  FlushDenormals() : before_(get()) { set(before_ | flush_bits); }
  ~FlushDenormals() { set(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__x86_64__)
  using Control = std::uint32_t;
  static constexpr Control flush_bits = 0x8040;  // flush to zero, denormals are zero
  static Control get() {
    return _mm_getcsr();
  }
  static void set(Control control) {
    _mm_setcsr(control);
  }
#elif defined(__aarch64__)
  using Control = std::uint64_t;
  static constexpr Control flush_bits = std::uint64_t{1} << 24U;
  static Control get() {
    Control control = 0;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void set(Control control) {
    asm volatile("msr fpcr, %0" : : "r"(control));
  }
#else
  using Control = std::uint32_t;
  static constexpr Control flush_bits = 0;
  static Control get() {
    return 0;
  }
  static void set(Control) {}
#endif
  Control before_;
};

}  // namespace entente::engine
