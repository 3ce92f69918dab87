// SPDX-License-Identifier: Apache-2.0
#include "common/engine/schedule.hpp"

#include <string>

namespace entente::engine {
namespace {

Error out_of_range(const std::string& what, double seen, const std::string& expected) {
  return Error{Errc::invalid_argument,
               what + " is " + std::to_string(seen) + "; expected " + expected};
}

Result<void> check(const ConstantRate& rate) {
  if (rate.factor >= 0 && rate.factor <= 1) return ok();
  return out_of_range("the schedule's factor", rate.factor, "0 to 1");
}
Result<void> check(const StepDecay& decay) {
  if (decay.every == 0) return out_of_range("the schedule's step", 0, "at least 1");
  if (!(decay.factor > 0 && decay.factor <= 1)) {
    return out_of_range("the schedule's factor", decay.factor, "above 0 and at most 1");
  }
  return ok();
}
Result<void> check(const CosineDecay& decay) {
  if (decay.steps == 0) return out_of_range("the schedule's length", 0, "at least 1");
  if (!(decay.last >= 0 && decay.last <= 1)) {
    return out_of_range("the schedule's last factor", decay.last, "0 to 1");
  }
  return ok();
}

// cos(x) for x in [0, pi / 2], by its series: 1e-16 absolute.
double cosine(double x) {
  const double square = x * x;
  double series = 1;
  for (int term = 24; term > 0; term -= 2) series = 1 - series * square / ((term - 1) * term);
  return series;
}

double at(const ConstantRate& rate, std::uint64_t) {
  return rate.factor;
}
double at(const StepDecay& decay, std::uint64_t step) {
  return power_of(decay.factor, step / decay.every);
}
// (1 + cos(x)) / 2 = cos(x / 2) ^ 2, which needs the series on a quarter of the circle alone.
double at(const CosineDecay& decay, std::uint64_t step) {
  if (step >= decay.steps) return decay.last;
  constexpr double half_pi = 1.57079632679489661923;
  const double half =
      cosine(half_pi * static_cast<double>(step) / static_cast<double>(decay.steps));
  return decay.last + (1 - decay.last) * half * half;
}

}  // namespace

Result<void> check_schedule(const Schedule& schedule) {
  return std::visit([](const auto& decay) { return check(decay); }, schedule.decay);
}

double factor_at(const Schedule& schedule, std::uint64_t step) {
  if (step < schedule.warm_up) {
    return static_cast<double>(step + 1) / static_cast<double>(schedule.warm_up);
  }
  return std::visit([&](const auto& decay) { return at(decay, step - schedule.warm_up); },
                    schedule.decay);
}

double power_of(double base, std::uint64_t exponent) {
  double power = 1;
  for (; exponent != 0; exponent >>= 1U) {
    if ((exponent & 1U) != 0) power *= base;
    base *= base;
  }
  return power;
}

}  // namespace entente::engine
