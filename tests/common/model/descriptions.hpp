// SPDX-License-Identifier: Apache-2.0
//
// Pieces of model descriptions as Keras writes them, and what reading them says.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>
#include <string_view>

#include "common/model/model.hpp"

namespace entente::model {

// A Keras 3 tensor that `layer` has made.
inline std::string tensor(const std::string& layer) {
  return R"({"class_name":"__keras_tensor__","config":{"shape":[null,4],"dtype":"float32",)"
         R"("keras_history":[")" +
         layer + R"(",0,0]}})";
}
inline std::string layer(const std::string& class_name, const std::string& name,
                         const std::string& config, const std::string& nodes) {
  return R"({"module":"keras.layers","class_name":")" + class_name + R"(","config":{"name":")" +
         name + R"(","trainable":true)" + (config.empty() ? "" : ",") + config +
         R"(},"registered_name":null,"name":")" + name + R"(","inbound_nodes":)" + nodes + "}";
}
inline std::string input(const std::string& name, const std::string& shape,
                         const std::string& dtype = "float32") {
  return R"({"class_name":"InputLayer","config":{"batch_shape":)" + shape + R"(,"dtype":")" +
         dtype + R"(","sparse":false,"name":")" + name + R"("},"name":")" + name +
         R"(","inbound_nodes":[]})";
}
inline std::string called(const std::string& arguments, const std::string& named = "{}") {
  return R"([{"args":[)" + arguments + R"(],"kwargs":)" + named + "}]";
}
inline std::string model_of(const std::string& layers, const std::string& inputs,
                            const std::string& outputs) {
  return R"({"module":"keras.src.models.functional","class_name":"Functional","config":{"name":)"
         R"("m","trainable":true,"layers":[)" +
         layers + R"(],"input_layers":)" + inputs + R"(,"output_layers":)" + outputs + "}}";
}
inline std::string error_of(const std::string& text) {
  const auto model = parse_model(text);
  if (!model) return model.error().detail;
  const auto network = compile(*model);
  return network ? "accepted" : network.error().detail;
}
inline bool says(const std::string& text, std::string_view part) {
  BOOST_TEST_INFO(text);
  return text.find(part) != std::string::npos;
}
inline const std::string head = R"("units":3,"activation":"softmax")";

}  // namespace entente::model
