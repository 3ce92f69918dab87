// SPDX-License-Identifier: Apache-2.0
//
// The real workbench: the institution's rows, read by the plan's schema and kept in memory for the
// plan in use; the engine on other threads; files in the state folder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/data/dataset.hpp"
#include "common/net/pool.hpp"
#include "participant/prepared.hpp"
#include "participant/state_folder.hpp"
#include "participant/workbench.hpp"

namespace entente::participant {

class LocalWorkbench : public Workbench {
 public:
  // `folder` was made; `pool` outlives the workbench.
  LocalWorkbench(StateFolder folder, data::Source source, std::string participant,
                 std::uint64_t memory_max_bytes, net::Pool& pool);

  std::filesystem::path plan_file(const Digest& plan) const override;
  std::filesystem::path model_file(const Digest& model) const override;
  std::filesystem::path update_file(const Digest& update) const override;
  Result<std::string> read_plan(const Digest& plan) override;
  Result<bool> has_model(const Digest& model, std::uint64_t size_bytes) override;
  net::Async<bool> has_update(Digest update, std::uint64_t size_bytes) override;
  void keep_only(const std::set<Digest>& models, const std::set<Digest>& updates) override;
  bool is_approved(const Digest& plan) override;
  net::Async<Suitability> consider(std::shared_ptr<const plan::Plan> plan) override;
  net::Async<TrainedUpdate> train(WorkOrder order) override;
  net::Async<EvaluatedModel> evaluate(WorkOrder order) override;

 private:
  StateFolder folder_;
  data::Source source_;
  std::string participant_;
  std::uint64_t memory_max_bytes_;
  net::Pool& pool_;
  PreparedRef prepared_;  // of the plan in use
};

}  // namespace entente::participant
