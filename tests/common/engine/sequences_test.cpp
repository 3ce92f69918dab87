// SPDX-License-Identifier: Apache-2.0
//
// Layers of text and sequences against their plain twins, with masks of every kind, and backward
// against differences.
#include "common/engine/network.hpp"

#include <boost/test/unit_test.hpp>

#include "common/engine/initial.hpp"
#include "tests/common/engine/checks.hpp"

namespace entente::engine {
namespace {

using Cell = Recurrent::Cell;

LayerSpec head(std::uint64_t classes = 3) {
  return dense("head", classes, Activation::softmax);
}
Recurrent recurrent(Cell cell, std::uint64_t units, bool sequences, bool backwards = false) {
  Recurrent made;
  made.cell = cell;
  made.units = units;
  made.return_sequences = sequences;
  made.go_backwards = backwards;
  return made;
}
LayerSpec embedding(std::uint64_t vocabulary, std::uint64_t size, bool mask_zero) {
  return layer("embed", Embedding{vocabulary, size, mask_zero});
}
std::string name_of(Cell cell) {
  return cell == Cell::simple ? "SimpleRNN" : (cell == Cell::lstm ? "LSTM" : "GRU");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sequences)

BOOST_AUTO_TEST_CASE(an_embedding_is_the_rows_of_its_table) {
  check(graph_of({5}, {embedding(11, 3, false), flatten(), head()}), 4, 1, "embedding");
  check(graph_of({2, 3}, {embedding(11, 3, false), flatten(), head()}), 4, 2, "of two axes");
}

BOOST_AUTO_TEST_CASE(each_cell_forwards_and_backwards_with_sequences_and_without) {
  std::uint64_t seed = 10;
  for (const Cell cell : {Cell::simple, Cell::lstm, Cell::gru}) {
    for (const bool sequences : {false, true}) {
      for (const bool backwards : {false, true}) {
        check(graph_of({6, 3}, {dense("a", 4), layer("r", recurrent(cell, 5, sequences, backwards)),
                                flatten(), head()}),
              3, ++seed,
              name_of(cell) + " " + std::to_string(sequences) + std::to_string(backwards));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(each_cell_with_masked_steps_hands_its_state_on) {
  std::uint64_t seed = 30;
  for (const Cell cell : {Cell::simple, Cell::lstm, Cell::gru}) {
    for (const bool backwards : {false, true}) {
      check(graph_of({6}, {embedding(7, 3, true), layer("r", recurrent(cell, 4, true, backwards)),
                           layer("s", recurrent(cell, 3, false)), head()}),
            4, ++seed, name_of(cell) + " masked " + std::to_string(backwards));
    }
  }
}

// Keras' zero_output_for_mask; read by a layer that knows no masks.
BOOST_AUTO_TEST_CASE(masked_steps_may_give_zeros_and_still_hand_the_state_on) {
  std::uint64_t seed = 300;
  for (const Cell cell : {Cell::simple, Cell::lstm, Cell::gru}) {
    for (const bool backwards : {false, true}) {
      Recurrent zeros = recurrent(cell, 4, true, backwards);
      zeros.zero_masked = true;
      check(graph_of({6}, {embedding(7, 3, true), layer("r", zeros), flatten(), head()}), 4, ++seed,
            name_of(cell) + " zeros at masked steps " + std::to_string(backwards));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_sequence_of_one_step_and_a_batch_of_one_and_of_many_blocks) {
  std::uint64_t seed = 40;
  for (const Cell cell : {Cell::simple, Cell::lstm, Cell::gru}) {
    check(graph_of({1, 3}, {layer("r", recurrent(cell, 4, true)),
                            layer("s", recurrent(cell, 2, false)), head()}),
          1, ++seed, name_of(cell) + " one step");
    check(graph_of({3, 2}, {layer("r", recurrent(cell, 2, true)),
                            layer("s", recurrent(cell, 2, false)), head()}),
          37, ++seed, name_of(cell) + " many rows");
  }
}

BOOST_AUTO_TEST_CASE(a_simple_cell_with_other_activations_and_cells_without_a_bias) {
  for (const Activation kind : {Activation::relu, Activation::linear}) {
    Recurrent simple = recurrent(Cell::simple, 3, true);
    simple.activation = kind;
    check(graph_of({4, 2}, {layer("r", simple), flatten(), head()}), 3, 50, "activation");
  }
  for (const Cell cell : {Cell::simple, Cell::lstm, Cell::gru}) {
    Recurrent bare = recurrent(cell, 3, true);
    bare.use_bias = false;
    check(graph_of({4, 2}, {layer("r", bare), flatten(), head()}), 3, 51, "no bias");
  }
}

BOOST_AUTO_TEST_CASE(bidirectional_joins_both_directions_step_by_step) {
  using Merge = Bidirectional::Merge;
  std::uint64_t seed = 60;
  for (const Merge merge : {Merge::concatenate, Merge::sum, Merge::multiply, Merge::average}) {
    for (const bool sequences : {false, true}) {
      const Cell cell = sequences ? Cell::lstm : Cell::gru;
      check(graph_of({5}, {embedding(6, 2, sequences),
                           layer("b", Bidirectional{recurrent(cell, 3, sequences), merge}),
                           flatten(), head()}),
            3, ++seed, std::string("bidirectional"));
    }
  }
}

// Each cell, with masks that give zeros and without, with a bias and without.
BOOST_AUTO_TEST_CASE(bidirectional_takes_each_cell) {
  std::uint64_t seed = 310;
  for (const Cell cell : {Cell::simple, Cell::lstm, Cell::gru}) {
    for (const bool mask : {false, true}) {
      Recurrent inner = recurrent(cell, 2, true);
      inner.use_bias = mask;
      check(graph_of({4},
                     {embedding(5, 2, mask), layer("b", Bidirectional{inner}), flatten(), head()}),
            3, ++seed, name_of(cell) + " both ways " + std::to_string(mask));
    }
  }
}

// Keras: the mean over the steps that count.
BOOST_AUTO_TEST_CASE(a_label_for_each_step_counts_where_the_step_does) {
  const GraphSpec graph = graph_of(
      {6}, {embedding(5, 4, true), layer("r", recurrent(Cell::lstm, 4, true)),
            layer("s", recurrent(Cell::lstm, 3, true)), dense("d", 5, Activation::relu), head(4)});
  check(graph, 5, 70, "tagging");
  const Network network = Network::compile(graph).value();
  BOOST_TEST(network.position_count() == 6U);
  BOOST_TEST(network.output_count() == 4U);
}

BOOST_AUTO_TEST_CASE(a_batch_in_which_nothing_counts_has_no_loss_and_no_gradient) {
  const GraphSpec graph =
      graph_of({4}, {embedding(5, 3, true), layer("r", recurrent(Cell::gru, 3, true)), head()});
  const Network network = Network::compile(graph).value();
  const auto parameters = random_values<float>(network.parameter_count(), 1);
  std::vector<float> gradient(parameters.size(), 1.0F), features(2 * 4);
  std::vector<std::uint32_t> labels(2 * 4);
  Workspace workspace = network.make_workspace(2, Purpose::training);
  const auto loss_of = [&] {
    return network.loss_and_gradient(parameters, {features, labels}, gradient, workspace).value();
  };
  BOOST_TEST(loss_of() == 0.0);
  BOOST_TEST(std::ranges::count(gradient, 0.0F) == std::ssize(gradient));
  std::ranges::fill(features, 1.0F);
  BOOST_TEST(loss_of() > 0.0);
  std::ranges::fill(labels, no_label);
  BOOST_TEST(loss_of() == 0.0);
  BOOST_TEST(std::ranges::count(gradient, 0.0F) == std::ssize(gradient));
}

BOOST_AUTO_TEST_CASE(the_mean_over_steps_leaves_masked_ones_out) {
  check(graph_of({5}, {embedding(4, 3, true), layer("m", LayerNormalization{}),
                       layer("p", GlobalPooling{GlobalPooling::Kind::average, 1, false}), head()}),
        9, 80, "masked mean");
}

BOOST_AUTO_TEST_CASE(attention_of_a_sequence_to_itself_causal_or_not_masked_or_not) {
  std::uint64_t seed = 90;
  for (const bool causal : {false, true}) {
    for (const bool mask : {false, true}) {
      MultiHeadAttention attention;
      attention.heads = 2;
      attention.key_size = 3;
      attention.value_size = mask ? 2 : 0;
      attention.causal = causal;
      check(graph_of({5}, {embedding(6, 4, mask), layer("a", attention, {"embed", "embed"}),
                           layer("s", Add{}, {"embed", "a"}), head()}),
            3, ++seed, std::string("attention"));
    }
  }
}

BOOST_AUTO_TEST_CASE(attention_of_one_sequence_to_another_of_other_length) {
  MultiHeadAttention attention;
  attention.heads = 3;
  attention.key_size = 2;
  attention.outputs = 5;
  attention.use_bias = false;
  const GraphSpec graph{
      {{"words", {4}}, {"others", {6, 3}}},
      {layer("e", Embedding{7, 4, true}, {"words"}), layer("k", Dense{2}, {"others"}),
       layer("a", attention, {"e", "others", "k"}),
       layer("p", GlobalPooling{GlobalPooling::Kind::average, 1, false}), head()}};
  check(graph, 4, 100, "across");
}

BOOST_AUTO_TEST_CASE(causal_attention_over_several_bands_with_keys_that_nobody_sees_or_too_few) {
  for (const auto& [steps, others] : {std::pair{40U, 70U}, std::pair{70U, 40U}, {37U, 37U}}) {
    MultiHeadAttention attention;
    attention.heads = 1;
    attention.key_size = 2;
    attention.causal = true;
    const GraphSpec graph{
        {{"x", {steps, 2}}, {"others", {others, 3}}},
        {layer("k", Dense{2}, {"others"}), layer("a", attention, {"x", "k"}),
         layer("p", GlobalPooling{GlobalPooling::Kind::average, 1, false}), head()}};
    check(graph, 2, 105, "bands");
  }
}

BOOST_AUTO_TEST_CASE(position_embeddings_alone_and_added) {
  check(graph_of({4, 3}, {dense("d", 2), layer("p", PositionEmbedding{6, false}),
                          layer("s", Add{}, {"d", "p"}), layer("q", PositionEmbedding{4, true}),
                          flatten(), head()}),
        3, 110, "positions");
}

// One value with a mask and one without, then two with one.
BOOST_AUTO_TEST_CASE(each_rule_of_masks_is_kept_where_values_are_joined) {
  const LayerSpec mean{"mean", GlobalPooling{GlobalPooling::Kind::average, 1, false}};
  const auto joined = [&](const LayerKind& join, bool both) {
    return graph_of({5}, {layer("e", Embedding{4, 3, true}, {"input"}),
                          layer("f", Embedding{4, 3, both}, {"input"}),
                          layer("j", join, {"e", "f"}), mean, head()});
  };
  std::uint64_t seed = 130;
  for (const MergeMask rule : {MergeMask::any, MergeMask::all, MergeMask::none}) {
    for (const bool both : {false, true}) {
      const std::string what = std::to_string(static_cast<int>(rule)) + std::to_string(both);
      check(joined(Add{rule}, both), 4, ++seed, "sum " + what);
      check(joined(Concatenate{-1, rule}, both), 4, ++seed, "concatenation " + what);
      if (rule == MergeMask::all && !both) continue;
      check(joined(Multiply{rule}, both), 4, ++seed, "product " + what);
    }
  }
  const auto refused = Network::compile(joined(Multiply{MergeMask::all}, false));
  BOOST_TEST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().detail.find("layer 'j': multiplies values with a mask and values "
                                         "without") == 0U);
}

BOOST_AUTO_TEST_CASE(a_mask_ends_at_position_embeddings_alone_and_at_any_reshape) {
  const LayerSpec mean{"mean", GlobalPooling{GlobalPooling::Kind::average, 1, false}};
  check(graph_of({5}, {layer("e", Embedding{4, 3, true}, {"input"}),
                       layer("p", PositionEmbedding{6, false}, {"e"}),
                       layer("s", Add{MergeMask::all}, {"e", "p"}), mean, head()}),
        4, 150, "positions of a masked text");
  check(graph_of({5}, {layer("e", Embedding{4, 3, true}, {"input"}),
                       layer("p", PositionEmbedding{6, true}), mean, head()}),
        4, 151, "positions added to a masked text");
  check(graph_of({5}, {layer("e", Embedding{4, 3, true}, {"input"}), layer("r", Reshape{{5, 3}}),
                       mean, head()}),
        4, 152, "reshape that changes nothing");
}

BOOST_AUTO_TEST_CASE(a_small_decoder) {
  MultiHeadAttention attention;
  attention.heads = 2;
  attention.key_size = 2;
  attention.causal = true;
  Dense wide;
  wide.units = 8;
  wide.activation = Activation::gelu;
  check(
      graph_of({5}, {embedding(7, 4, false), layer("pos", PositionEmbedding{5, true}),
                     layer("n1", LayerNormalization{}), layer("att", attention, {"n1", "n1"}),
                     layer("x1", Add{}, {"pos", "att"}), layer("n2", LayerNormalization{}),
                     layer("up", wide), layer("down", Dense{4}), layer("x2", Add{}, {"x1", "down"}),
                     layer("n3", LayerNormalization{}), head(7)}),
      2, 120, "decoder");
}

BOOST_AUTO_TEST_CASE(a_feature_that_is_no_token_is_named_with_what_is_expected) {
  const GraphSpec graph{{{"x", {2}}, {"words", {3}}},
                        {layer("e", Embedding{10, 2}, {"words"}), layer("f", Flatten{}),
                         layer("c", Concatenate{}, {"x", "f"}), head()}};
  const Network network = Network::compile(graph).value();
  const std::vector<float> parameters(network.parameter_count());
  std::vector<float> gradient(parameters.size()), features(5 * 3);
  const std::vector<std::uint32_t> labels(3);
  Workspace workspace = network.make_workspace(3, Purpose::training);
  const auto error_with = [&](float token) {
    features[5 + 3] = token;
    const auto loss =
        network.loss_and_gradient(parameters, {features, labels}, gradient, workspace);
    return loss ? std::string("accepted") : loss.error().detail;
  };
  BOOST_TEST(error_with(10) ==
             "features: row 1, value 3 (both from 0) is 10.000000; expected a whole number from 0 "
             "to 9");
  BOOST_TEST(error_with(-1).find("expected a whole number from 0 to 9") != std::string::npos);
  BOOST_TEST(error_with(1.5).find("expected a whole number from 0 to 9") != std::string::npos);
  BOOST_TEST(error_with(9) == "accepted");
}

BOOST_AUTO_TEST_CASE(recurrent_kernels_begin_orthogonal_and_the_forget_gate_open) {
  const Network network =
      Network::compile(graph_of({3, 2}, {layer("r", recurrent(Cell::lstm, 40, false)), head()}))
          .value();
  std::vector<float> parameters(network.parameter_count()), part(1000);
  initial_values(network, 9, 0, parameters);
  const auto& tensors = network.layout().tensors();
  BOOST_TEST(tensors[1].name == "r/recurrent_kernel");
  const float* kernel = parameters.data() + tensors[1].offset;
  for (std::size_t i = 0; i < 40; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double product = 0;
      for (std::size_t k = 0; k < 160; ++k)
        product += double{kernel[i * 160 + k]} * double{kernel[j * 160 + k]};
      BOOST_TEST(std::abs(product - (i == j ? 1 : 0)) < 1e-5);
    }
  }
  const float* bias = parameters.data() + tensors[2].offset;
  for (std::size_t i = 0; i < 160; ++i) BOOST_TEST(bias[i] == (i >= 40 && i < 80 ? 1.0F : 0.0F));
  initial_values(network, 9, tensors[1].offset + 333, part);
  BOOST_TEST(std::equal(part.begin(), part.end(), kernel + 333));
}

BOOST_AUTO_TEST_CASE(layers_that_sequences_do_not_fit_are_refused_by_name) {
  const auto error_of = [](const GraphSpec& graph) {
    const auto network = Network::compile(graph);
    BOOST_TEST_REQUIRE(!network.has_value());
    return network.error().detail;
  };
  BOOST_TEST(error_of(graph_of({4}, {layer("r", recurrent(Cell::lstm, 3, false)), head()})) ==
             "layer 'r': needs a sequence (steps, features), but gets (4)");
  BOOST_TEST(error_of(graph_of({4}, {dense("a", 4), embedding(4, 2, false), flatten(), head()})) ==
             "layer 'embed': must read one of the model's inputs, as whole numbers");
  BOOST_TEST(error_of(graph_of({4, 2}, {layer("p", PositionEmbedding{3, true}), head()})) ==
             "layer 'p': sequence_length is 3, but its input has 4 steps");
  Recurrent wrong = recurrent(Cell::lstm, 3, false);
  wrong.activation = Activation::relu;
  BOOST_TEST(error_of(graph_of({4, 2}, {layer("r", wrong), head()})) ==
             "layer 'r': the activation of LSTM and GRU must be tanh");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::engine
