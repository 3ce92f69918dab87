// SPDX-License-Identifier: Apache-2.0
//
// Layers of text, as Keras 2 and Keras 3 write them.
#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/common/model/descriptions.hpp"

namespace entente::model {

BOOST_AUTO_TEST_SUITE(layers_of_text)

// Words in, one class for each step out.
BOOST_AUTO_TEST_CASE(a_sequential_tagger_is_read_with_its_shapes_and_gate_orders) {
  const std::string lstm = R"("units":12,"return_sequences":true)";
  const auto model = parse_model(
      R"({"class_name":"Sequential","config":{"name":"tagger","layers":[)" +
      input("in", "[null,9]") +
      R"(,{"class_name":"Embedding","config":{"name":"e","input_dim":50,"output_dim":8,)"
      R"("mask_zero":true,"input_length":9}},{"class_name":"LSTM","config":{"name":"one",)" +
      lstm + R"(}},{"class_name":"LSTM","config":{"name":"two",)" + lstm +
      R"(}},{"class_name":"Dense","config":{"name":"d","units":6,"activation":"relu"}},)"
      R"({"class_name":"Dense","config":{"name":"o","units":4,"activation":"softmax"}}]}})");
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  const auto network = compile(*model);
  BOOST_TEST_REQUIRE(network.has_value(), (network ? "" : network.error().detail));
  const auto& tensors = network->layout().tensors();
  BOOST_TEST(tensors[0].name == "e/embeddings");
  BOOST_TEST(tensors[2].name == "one/recurrent_kernel");
  BOOST_TEST((tensors[2].shape == std::vector<std::uint64_t>{12, 48}));
  BOOST_TEST(network->position_count() == 9U);
}

BOOST_AUTO_TEST_CASE(
    options_of_recurrent_layers_that_change_the_model_are_refused_with_their_place) {
  const auto with = [](const std::string& class_name, const std::string& config) {
    return error_of(R"({"class_name":"Sequential","config":{"layers":[)" +
                    input("in", "[null,9,2]") + R"(,{"class_name":")" + class_name +
                    R"(","config":{"name":"r","units":3,)" + config +
                    R"(}},{"class_name":"Dense","config":{"name":"o",)" + head + "}}]}}");
  };
  BOOST_TEST(says(with("LSTM", R"("recurrent_activation":"tanh")"),
                  "layers[1].config.recurrent_activation: only 'sigmoid' is supported"));
  BOOST_TEST(says(with("GRU", R"("reset_after":false)"),
                  "layers[1].config.reset_after: only true is supported"));
  BOOST_TEST(says(with("LSTM", R"("stateful":true)"), "stateful: only false is supported"));
  BOOST_TEST(says(with("LSTM", R"("dropout":0.5)"), "dropout: only 0 is supported"));
  BOOST_TEST(says(with("LSTM", R"("activation":"relu")"), "must be tanh"));
  BOOST_TEST(with("GRU", R"("reset_after":true)") == "accepted");
}

// KerasHub writes the number always.
BOOST_AUTO_TEST_CASE(position_embeddings_may_say_how_positions_beyond_the_table_would_be_made) {
  const auto text = [](const std::string& steps) {
    return model_of(
        input("in", "[null,9,2]") + "," +
            layer("PositionEmbedding", "p",
                  R"("hierarchical_alpha":0.4,"sequence_length":)" + steps, called(tensor("in"))) +
            "," + layer("Add", "s", "", called("[" + tensor("in") + "," + tensor("p") + "]")) +
            "," + layer("Dense", "out", head, called(tensor("s"))),
        R"([["in",0,0]])", R"([["out",0,0]])");
  };
  BOOST_TEST(error_of(text("9")) == "accepted");
  BOOST_TEST(
      says(error_of(text("8")), "layer 'p': sequence_length is 8, but its input has 9 steps"));
}

BOOST_AUTO_TEST_CASE(bidirectional_reads_the_layer_inside) {
  const auto text = [](const std::string& inner, const std::string& merge) {
    return R"({"class_name":"Sequential","config":{"layers":[)" + input("in", "[null,9,2]") +
           R"(,{"class_name":"Bidirectional","config":{"name":"b","merge_mode":")" + merge +
           R"(","layer":{"module":"keras.layers","class_name":")" + inner +
           R"(","config":{"name":"forward_x","trainable":true,"units":5},"registered_name":null}}},)"
           R"({"class_name":"Dense","config":{"name":"o",)" +
           head + "}}]}}";
  };
  BOOST_TEST(error_of(text("GRU", "ave")) == "accepted");
  BOOST_TEST(compile(parse_model(text("LSTM", "concat")).value())->layout().tensors()[3].name ==
             "b/backward_kernel");
  BOOST_TEST(says(error_of(text("Dense", "concat")),
                  "layers[1].config.layer.class_name: expected 'LSTM', 'GRU' or 'SimpleRNN'"));
  BOOST_TEST(says(error_of(text("GRU", "max")), "merge_mode: expected 'concat', 'sum'"));
}

// Keras 2 leaves the inner layer its input shape.
BOOST_AUTO_TEST_CASE(a_wrapped_layer_may_have_an_input_shape_of_its_own) {
  BOOST_TEST(error_of(R"({"class_name":"Sequential","config":{"layers":[)"
                      R"({"class_name":"Bidirectional","config":{"name":"b",)"
                      R"("batch_input_shape":[null,9,2],"layer":{"class_name":"LSTM","config":)"
                      R"({"name":"l","batch_input_shape":[null,9,2],"units":5}}}},)"
                      R"({"class_name":"Dense","config":{"name":"o",)" +
                      head + "}}]}}") == "accepted");
}

BOOST_AUTO_TEST_CASE(a_dense_for_each_step_is_that_dense) {
  const auto text = [](const std::string& inner) {
    return R"({"class_name":"Sequential","config":{"layers":[)" + input("in", "[null,9,2]") +
           R"(,{"class_name":"TimeDistributed","config":{"name":"each","trainable":true,)"
           R"("dtype":"float32","layer":{"module":"keras.layers","class_name":)" +
           inner + R"(,"registered_name":null}}}]}})";
  };
  const std::string dense = text(R"("Dense","config":{"name":"inner",)" + head + "}");
  BOOST_TEST(error_of(dense) == "accepted");
  const auto network = compile(parse_model(dense).value());
  BOOST_TEST(network->layout().tensors()[0].name == "each/kernel");
  BOOST_TEST((network->layout().tensors()[0].shape == std::vector<std::uint64_t>{2, 3}));
  BOOST_TEST(network->position_count() == 9U);
  BOOST_TEST(says(error_of(text(R"("Conv2D","config":{"name":"inner"})")),
                  "layers[1].config.layer.class_name: expected 'Dense', saw 'Conv2D'"));
}

// Keras 3 writes both directions, and zeros at masked steps where there is an output for each.
BOOST_AUTO_TEST_CASE(bidirectional_of_keras_3_names_both_directions) {
  const auto text = [](const std::string& backward) {
    const auto direction = [](const std::string& config) {
      return R"({"module":"keras.layers","class_name":"LSTM","config":{"name":"x","units":5,)"
             R"("return_sequences":true,"zero_output_for_mask":true,)" +
             config + R"(},"registered_name":null,"build_config":{"input_shape":[null,9,2]}})";
    };
    return R"({"class_name":"Sequential","config":{"layers":[)" + input("in", "[null,9,2]") +
           R"(,{"class_name":"Bidirectional","config":{"name":"b","merge_mode":"concat","layer":)" +
           direction(R"("go_backwards":false)") + R"(,"backward_layer":)" + direction(backward) +
           R"(}},{"class_name":"Dense","config":{"name":"o",)" + head + "}}]}}";
  };
  BOOST_TEST(error_of(text(R"("go_backwards":true)")) == "accepted");
  BOOST_TEST(says(error_of(text(R"("go_backwards":false)")),
                  "layers[1].config.backward_layer: must go the other way"));
  BOOST_TEST(says(error_of(text(R"("go_backwards":true,"use_bias":false)")),
                  "backward_layer: must be as the layer itself but for go_backwards"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::model
