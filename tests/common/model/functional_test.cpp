// SPDX-License-Identifier: Apache-2.0
//
// Functional models, as Keras 2 and Keras 3 write them.
#include <boost/test/unit_test.hpp>
#include <string>

#include "tests/common/model/descriptions.hpp"

namespace entente::model {

BOOST_AUTO_TEST_SUITE(functional_models)

// Layers out of order, as Keras may write them, and two inputs.
BOOST_AUTO_TEST_CASE(a_keras_3_graph_of_two_inputs_is_put_in_order) {
  const std::string text = model_of(
      layer("Dense", "out", head, called(tensor("cat"))) + "," + input("b", "[null,2]") + "," +
          input("a", "[null,4]") + "," +
          layer("Concatenate", "cat", R"("axis":-1)",
                called("[" + tensor("sum") + "," + tensor("b") + "]")) +
          "," + layer("Dense", "one", R"("units":4,"activation":"gelu")", called(tensor("a"))) +
          "," + layer("Add", "sum", "", called("[" + tensor("a") + "," + tensor("one") + "]")),
      R"([["a",0,0],["b",0,0]])", R"([["out",0,0]])");
  const auto model = parse_model(text);
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  BOOST_TEST(model->graph.inputs[0].name == "a");
  BOOST_TEST(model->graph.layers.back().name == "out");
  const auto network = compile(*model);
  BOOST_TEST_REQUIRE(network.has_value(), (network ? "" : network.error().detail));
  BOOST_TEST(network->input_count() == 6U);
  BOOST_TEST(network->parameter_count() == 20U + 6 * 3 + 3);
}

BOOST_AUTO_TEST_CASE(a_keras_2_graph_names_its_inputs_in_lists) {
  const std::string text = model_of(
      R"({"class_name":"InputLayer","config":{"batch_input_shape":[null,5,4],"dtype":"float32",)"
      R"("sparse":false,"ragged":false,"name":"in"},"name":"in","inbound_nodes":[]},)" +
          layer("MultiHeadAttention", "att",
                R"("num_heads":2,"key_dim":3,"value_dim":3,"dropout":0.0,"use_bias":true,)"
                R"("output_shape":null,"attention_axes":[1],"query_shape":[null,5,4],)"
                R"("kernel_regularizer":null)",
                R"([[["in",0,0,{"value":["in",0,0],"use_causal_mask":true}]]])") +
          "," + layer("Add", "add", "", R"([[["in",0,0,{}],["att",0,0,{}]]])") + "," +
          layer("GlobalAveragePooling1D", "pool",
                R"("data_format":"channels_last","keepdims":false)", R"([[["add",0,0,{}]]])") +
          "," + layer("Dense", "out", head, R"([[["pool",0,0,{}]]])"),
      R"([["in",0,0]])", R"([["out",0,0]])");
  const auto model = parse_model(text);
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  const auto& attention = std::get<engine::MultiHeadAttention>(model->graph.layers[0].kind);
  BOOST_TEST(attention.causal);
  BOOST_TEST((model->graph.layers[0].inputs == std::vector<std::string>{"in", "in"}));
  BOOST_TEST(error_of(text) == "accepted");
}

BOOST_AUTO_TEST_CASE(the_comparison_that_keras_3_makes_a_mask_with_is_passed_over) {
  const std::string lstm =
      R"("units":5,"return_sequences":true,"go_backwards":false,"stateful":false,"unroll":false,)"
      R"("activation":"tanh","recurrent_activation":"sigmoid","use_bias":true,"recurrent_initializer":)"
      R"({"module":"keras.initializers","class_name":"Orthogonal","config":{"gain":1.0,"seed":null},)"
      R"("registered_name":null},"unit_forget_bias":true,"dropout":0.0,"recurrent_dropout":0.0,"seed":null)";
  const std::string text = model_of(
      input("words", "[null,7]", "int32") + "," +
          layer(
              "Embedding", "e",
              R"("input_dim":20,"output_dim":4,"embeddings_initializer":"uniform","mask_zero":true)",
              called(tensor("words"))) +
          "," + R"({"class_name":"NotEqual","config":{"name":"ne"},"name":"ne","inbound_nodes":)" +
          R"([{"args":[)" + tensor("words") + R"(,0],"kwargs":{}}]},)" +
          layer("LSTM", "l", lstm,
                called(tensor("e"), R"({"training":false,"mask":)" + tensor("ne") + "}")) +
          "," + layer("Dense", "out", head, called(tensor("l"))),
      R"(["words",0,0])", R"(["out",0,0])");
  const auto model = parse_model(text);
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  const auto network = compile(*model);
  BOOST_TEST_REQUIRE(network.has_value(), (network ? "" : network.error().detail));
  BOOST_TEST(network->position_count() == 7U);
}

// Add joins two values with masks by one mask or the other; attention is told of all three.
BOOST_AUTO_TEST_CASE(masks_that_keras_3_hands_through_attention_and_sums_are_passed_over) {
  const auto text = [](const std::string& compared_with) {
    const auto operation = [](const std::string& class_name, const std::string& name,
                              const std::string& arguments) {
      return R"({"module":"keras.src.ops.numpy","class_name":")" + class_name +
             R"(","config":{},"registered_name":")" + class_name + R"(","name":")" + name +
             R"(","inbound_nodes":)" + called(arguments) + "}";
    };
    return model_of(
        input("words", "[null,7]", "int64") + "," +
            layer("Embedding", "e", R"("input_dim":20,"output_dim":4,"mask_zero":true)",
                  called(tensor("words"))) +
            "," + operation("NotEqual", "ne", tensor("words") + "," + compared_with) + "," +
            layer("MultiHeadAttention", "att",
                  R"("num_heads":2,"key_dim":2,"value_dim":2,"dropout":0.0,"use_bias":true,)"
                  R"("output_shape":null,"attention_axes":[1],"seed":null)",
                  called(tensor("e") + "," + tensor("e"),
                         R"({"query_mask":)" + tensor("ne") + R"(,"value_mask":)" + tensor("ne") +
                             R"(,"key_mask":null,"use_causal_mask":true,"training":false})")) +
            "," + layer("Add", "sum", "", called("[" + tensor("e") + "," + tensor("att") + "]")) +
            "," + operation("LogicalOr", "either", tensor("ne") + "," + tensor("ne")) + "," +
            layer("GlobalAveragePooling1D", "mean",
                  R"("data_format":"channels_last","keepdims":false)",
                  called(tensor("sum"), R"({"mask":)" + tensor("either") + "}")) +
            "," + layer("Dense", "out", head, called(tensor("mean"))),
        R"(["words",0,0])", R"([["out",0,0]])");
  };
  BOOST_TEST(error_of(text("0")) == "accepted");
  BOOST_TEST(says(error_of(text("1")), "layers[2].inbound_nodes: only tokens compared with 0"));
}

// Two texts, the first with an Embedding of which `embedding` says more, read under a mask of
// `masked`, which `operations` may make.
std::string under_a_mask(const std::string& embedding, const std::string& masked,
                         const std::string& operations = "") {
  const auto compared = [](const std::string& name, const std::string& tokens) {
    return R"({"module":"keras.src.ops.numpy","class_name":"NotEqual","config":{"name":")" + name +
           R"("},"registered_name":"NotEqual","name":")" + name + R"(","inbound_nodes":)" +
           called(tensor(tokens) + ",0") + "}";
  };
  const std::string table = R"("input_dim":20,"output_dim":4)";
  return model_of(input("words", "[null,7]", "int64") + "," + input("others", "[null,7]", "int64") +
                      "," + operations + compared("ne_words", "words") + "," +
                      compared("ne_others", "others") + "," +
                      layer("Embedding", "e", table + embedding, called(tensor("words"))) + "," +
                      layer("Embedding", "f", table, called(tensor("others"))) + "," +
                      layer("LSTM", "l", R"("units":3)",
                            called(tensor("e"), R"({"mask":)" + tensor(masked) + "}")) +
                      "," + layer("GlobalAveragePooling1D", "g", "", called(tensor("f"))) + "," +
                      layer("Add", "sum", "", called("[" + tensor("l") + "," + tensor("d") + "]")) +
                      "," + layer("Dense", "d", R"("units":3)", called(tensor("g"))) + "," +
                      layer("Dense", "out", head, called(tensor("sum"))),
                  R"([["words",0,0],["others",0,0]])", R"([["out",0,0]])");
}

BOOST_AUTO_TEST_CASE(a_mask_that_is_not_the_one_of_what_the_layer_reads_is_refused) {
  const auto either = [](const std::string& a, const std::string& b) {
    return R"({"module":"keras.src.ops.numpy","class_name":"LogicalOr","config":{},"name":"or",)"
           R"("registered_name":"LogicalOr","inbound_nodes":)" +
           called(tensor(a) + "," + tensor(b)) + "},";
  };
  const std::string zero = R"(,"mask_zero":true)";
  BOOST_TEST(error_of(under_a_mask(zero, "ne_words")) == "accepted");
  BOOST_TEST(error_of(under_a_mask(zero, "ne_others")) ==
             "model: layer 'l': is told a mask of 'others', but what it reads has another; masks "
             "come from Embedding's mask_zero");
  BOOST_TEST(error_of(under_a_mask("", "ne_words")) ==
             "model: layer 'l': is told a mask of 'words', but what it reads has none; masks come "
             "from Embedding's mask_zero");
  BOOST_TEST(error_of(under_a_mask(zero, "or", either("ne_words", "ne_words"))) == "accepted");
  BOOST_TEST(says(error_of(under_a_mask(zero, "or", either("ne_words", "ne_others"))),
                  "layers[2].inbound_nodes: joins a mask of 'words' and one of 'others'"));
}

// A mask of queries and keys is no mask of steps.
BOOST_AUTO_TEST_CASE(attention_masks_of_ones_own_are_refused_and_none_may_be_written_down) {
  const auto text = [](const std::string& named) {
    return model_of(
        input("words", "[null,7]", "int64") + "," +
            layer("Embedding", "e", R"("input_dim":20,"output_dim":4,"mask_zero":true)",
                  called(tensor("words"))) +
            R"(,{"class_name":"NotEqual","config":{"name":"ne"},"name":"ne","inbound_nodes":)" +
            called(tensor("words") + ",0") + "}," +
            layer("MultiHeadAttention", "att", R"("num_heads":2,"key_dim":2)",
                  called(tensor("e") + "," + tensor("e"), named)) +
            "," + layer("Dense", "out", head, called(tensor("att"))),
        R"([["words",0,0]])", R"([["out",0,0]])");
  };
  BOOST_TEST(error_of(text(R"({"attention_mask":null})")) == "accepted");
  BOOST_TEST(error_of(text(R"({"key_mask":)" + tensor("ne") + "}")) == "accepted");
  BOOST_TEST(
      says(error_of(text(R"({"attention_mask":)" + tensor("ne") + "}")),
           "layers[3].inbound_nodes[0].kwargs.attention_mask: is not supported; expected null"));
}

// Keras 3 writes it for every Dropout.
BOOST_AUTO_TEST_CASE(a_layer_that_its_caller_holds_in_inference_is_refused) {
  const auto text = [](const std::string& kind, const std::string& nodes) {
    return model_of(input("in", "[null,4]") + "," +
                        layer(kind, "mid", kind == "Dropout" ? R"("rate":0.5)" : "", nodes) + "," +
                        layer("Dense", "out", head, called(tensor("mid"))),
                    R"([["in",0,0]])", R"([["out",0,0]])");
  };
  const std::string two = R"([[["in",0,0,{"training":false}]]])";
  const std::string three = called(tensor("in"), R"({"training":false})");
  for (const std::string kind : {"BatchNormalization", "Dropout"}) {
    BOOST_TEST(
        says(error_of(text(kind, two)),
             "layers[1].inbound_nodes[0][0][3].training: a layer that works in training as in "
             "inference is not supported"));
    BOOST_TEST(error_of(text(kind, R"([[["in",0,0,{"training":null}]]])")) == "accepted");
    BOOST_TEST(error_of(text(kind, R"([[["in",0,0,{}]]])")) == "accepted");
  }
  BOOST_TEST(says(error_of(text("BatchNormalization", three)),
                  "layers[1].inbound_nodes[0].kwargs.training: a layer that works"));
  BOOST_TEST(error_of(text("Dropout", three)) == "accepted");
}

BOOST_AUTO_TEST_CASE(inputs_by_name_come_in_the_order_of_their_names) {
  const auto model =
      parse_model(model_of(input("x", "[null,2]") + "," + input("y", "[null,4]") + "," +
                               layer("Concatenate", "cat", R"("axis":-1)",
                                     called("[" + tensor("x") + "," + tensor("y") + "]")) +
                               "," + layer("Dense", "out", head, called(tensor("cat"))),
                           R"({"b":["x",0,0],"a":["y",0,0]})", R"({"answer":["out",0,0]})"));
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  BOOST_TEST(model->graph.inputs[0].name == "y");
  BOOST_TEST(model->graph.inputs[1].name == "x");
}

// What Keras writes for `a + b`: an operation of the layer's name, its inputs one by one.
BOOST_AUTO_TEST_CASE(a_sum_that_was_written_with_plus_is_an_add) {
  const std::string text = model_of(
      input("in", "[null,4]") + "," + layer("Dense", "mid", R"("units":4)", called(tensor("in"))) +
          R"(,{"module":"keras.src.ops.numpy","class_name":"Add","config":{"name":"add"},)"
          R"("registered_name":"Add","name":"add","inbound_nodes":)" +
          called(tensor("in") + "," + tensor("mid")) + "}," +
          layer("Dense", "out", head, called(tensor("add"))),
      R"([["in",0,0]])", R"([["out",0,0]])");
  BOOST_TEST(error_of(text) == "accepted");
}

// Keras 3 writes what was named by its name, in any order.
BOOST_AUTO_TEST_CASE(a_first_argument_that_was_named_is_the_first_input) {
  const std::string text = model_of(
      input("a", "[null,5,4]") + "," + input("b", "[null,6,4]") + "," +
          layer("MultiHeadAttention", "att", R"("num_heads":2,"key_dim":3)",
                called("", R"({"value":)" + tensor("b") + R"(,"key":)" + tensor("b") +
                               R"(,"query":)" + tensor("a") + "}")) +
          "," +
          layer("Add", "sum", "",
                called("", R"({"inputs":[)" + tensor("att") + "," + tensor("a") + "]}")) +
          "," +
          layer("LSTM", "l", R"("units":3)", called("", R"({"sequences":)" + tensor("sum") + "}")) +
          "," + layer("Dense", "out", head, called("", R"({"inputs":)" + tensor("l") + "}")),
      R"([["a",0,0],["b",0,0]])", R"([["out",0,0]])");
  const auto model = parse_model(text);
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  const auto& layers = model->graph.layers;
  BOOST_TEST((layers[0].inputs == std::vector<std::string>{"a", "b", "b"}));
  BOOST_TEST((layers[1].inputs == std::vector<std::string>{"att", "a"}));
  BOOST_TEST((layers[2].inputs == std::vector<std::string>{"sum"}));
  BOOST_TEST(error_of(text) == "accepted");
}

// A class of the user's own may have any name, and compute anything.
BOOST_AUTO_TEST_CASE(classes_that_are_not_keras_own_are_refused_whatever_their_name) {
  const auto text = [](const std::string& module, const std::string& class_name,
                       const std::string& registered, const std::string& config) {
    return model_of(
        input("in", "[null,4,2]") + R"(,{"module":")" + module + R"(","class_name":")" +
            class_name + R"(","registered_name":)" + registered +
            R"(,"name":"mid","config":{"name":"mid",)" + config + R"(},"inbound_nodes":)" +
            called(tensor("in")) + "}," +
            layer("Add", "sum", "", called("[" + tensor("in") + "," + tensor("mid") + "]")) + "," +
            layer("Dense", "out", head, called(tensor("sum"))),
        R"([["in",0,0]])", R"([["out",0,0]])");
  };
  const std::string norm = R"("epsilon":0.001)", position = R"("sequence_length":4)";
  BOOST_TEST(
      says(error_of(text("keras.layers", "LayerNormalization", R"("my>LayerNormalization")", norm)),
           "layers[1].registered_name: expected a class of Keras' own, saw "
           "'my>LayerNormalization'"));
  BOOST_TEST(
      says(error_of(text("my.layers", "LayerNormalization", R"("LayerNormalization")", norm)),
           "layers[1].module: expected one of Keras' own, saw 'my.layers'"));
  BOOST_TEST(says(error_of(text("keras.layers", "PositionEmbedding",
                                R"("Custom>PositionEmbedding")", position)),
                  "expected a class of Keras' own, saw 'Custom>PositionEmbedding'"));
  BOOST_TEST(says(error_of(text("keras_hub.layers", "LayerNormalization",
                                R"("keras_hub>PositionEmbedding")", norm)),
                  "expected a class of Keras' own"));
  for (const std::string package : {"keras_hub", "keras_nlp"}) {
    BOOST_TEST(error_of(text(package + ".layers", "PositionEmbedding",
                             "\"" + package + R"(>PositionEmbedding")", position)) == "accepted");
  }
  BOOST_TEST(error_of(text("tf_keras.src.layers", "LayerNormalization", "null", norm)) ==
             "accepted");
  const std::string initializer =
      R"("units":2,"kernel_initializer":{"module":"keras.initializers",)"
      R"("class_name":"HeNormal","registered_name":"my>HeNormal"})";
  BOOST_TEST(
      says(error_of(text("keras.layers", "Dense", "null", initializer)),
           "layers[1].config.kernel_initializer.registered_name: expected a class of Keras' own"));
  const auto model = parse_model(
      R"({"class_name":"Functional","module":"keras","registered_name":"my>Functional","config":{}})");
  BOOST_TEST(
      says(model ? "accepted" : model.error().detail, "model.registered_name: expected a class"));
}

// Keras 2's layers keep any mask, Keras 3's one that all inputs have, its operations none.
BOOST_AUTO_TEST_CASE(whose_mask_a_merge_gives_on_follows_from_what_wrote_the_file) {
  using engine::MergeMask;
  const auto read = [](const std::string& module, const std::string& nodes) {
    const std::string entry = R"(,{"module":")" + module +
                              R"(","class_name":"Add","config":{"name":"add"},"name":"add",)"
                              R"("inbound_nodes":)" +
                              nodes + "},";
    const auto model = parse_model(model_of(
        input("in", "[null,7]") + "," +
            layer("Embedding", "e", R"("input_dim":20,"output_dim":4,"mask_zero":true)",
                  called(tensor("in"))) +
            "," +
            layer("Embedding", "f", R"("input_dim":20,"output_dim":4)", called(tensor("in"))) +
            entry + layer("LSTM", "l", R"("units":3)", called(tensor("add"))) + "," +
            layer("Dense", "out", head, called(tensor("l"))),
        R"([["in",0,0]])", R"([["out",0,0]])"));
    BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
    BOOST_TEST(compile(*model).has_value());
    return std::get<engine::Add>(model->graph.layers[2].kind).mask;
  };
  const std::string apart = called(tensor("e") + "," + tensor("f"));
  BOOST_TEST((read("keras.layers", R"([[["e",0,0,{}],["f",0,0,{}]]])") == MergeMask::any));
  BOOST_TEST((read("keras.layers", called("[" + tensor("e") + "," + tensor("f") + "]")) ==
              MergeMask::all));
  BOOST_TEST((read("keras.src.ops.numpy", apart) == MergeMask::none));
}

BOOST_AUTO_TEST_CASE(an_operation_may_have_its_name_at_its_entry_alone) {
  const std::string text = model_of(
      input("in", "[null,4]") + "," + layer("Dense", "mid", R"("units":4)", called(tensor("in"))) +
          R"(,{"module":"keras.src.ops.numpy","class_name":"Add","config":{},)"
          R"("registered_name":"Add","name":"add","inbound_nodes":)" +
          called(tensor("in") + "," + tensor("mid")) + "}," +
          layer("Dense", "out", head, called(tensor("add"))),
      R"([["in",0,0]])", R"([["out",0,0]])");
  const auto model = parse_model(text);
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  BOOST_TEST(model->graph.layers[1].name == "add");
  BOOST_TEST(error_of(text) == "accepted");
  const auto without = parse_model(R"({"class_name":"Sequential","config":{"layers":[
    {"class_name":"Dense","config":{"units":2}}]}})");
  BOOST_TEST(says(without ? "accepted" : without.error().detail, "layers[0].config.name: missing"));
}

// Whatever is the last layer of the file.
BOOST_AUTO_TEST_CASE(the_output_must_be_a_layer_of_the_model) {
  const auto text = [](const std::string& output) {
    return model_of(input("in", "[null,4]") + "," +
                        layer("Dense", "out", head, called(tensor("mid"))) + "," +
                        layer("Dense", "mid", R"("units":4)", called(tensor("in"))) +
                        R"(,{"class_name":"NotEqual","config":{},"name":"ne","inbound_nodes":)" +
                        called(tensor("in") + ",0") + "}",
                    R"([["in",0,0]])", R"([[")" + output + R"(",0,0]])");
  };
  BOOST_TEST(parse_model(text("out")).value().graph.layers.back().name == "out");
  for (const std::string name : {"nope", "in", "ne"}) {
    BOOST_TEST(error_of(text(name)) == "model.config.output_layers: '" + name +
                                           "' is no layer whose output could be the model's");
  }
  BOOST_TEST(says(error_of(text("mid")),
                  "layers[1].inbound_nodes: the layer waits for itself, for "
                  "the output"));
}

BOOST_AUTO_TEST_CASE(a_mask_that_is_read_as_data_is_named) {
  const std::string text = model_of(
      input("in", "[null,4]") +
          R"(,{"class_name":"NotEqual","config":{},"name":"ne","inbound_nodes":)" +
          called(tensor("in") + ",0") + "}," + layer("Dense", "out", head, called(tensor("ne"))),
      R"([["in",0,0]])", R"([["out",0,0]])");
  BOOST_TEST(error_of(text) ==
             "model.config.layers[2].inbound_nodes: reads 'ne', which is a mask; only a layer's "
             "mask arguments may be one");
}

// Keras 2 and 3 number objects that stand in several places.
BOOST_AUTO_TEST_CASE(numbers_of_shared_objects_say_nothing) {
  const std::string initializer =
      R"({"class_name":"HeNormal","config":{"seed":null},"shared_object_id":140213})";
  const auto dense = [&](const std::string& name, const std::string& config,
                         const std::string& from) {
    return R"({"class_name":"Dense","config":{"name":")" + name +
           R"(","dtype":{"module":"keras",)"
           R"("class_name":"DTypePolicy","config":{"name":"float32"},"registered_name":null,)"
           R"("shared_object_id":7},"kernel_initializer":)" +
           initializer + "," + config + R"(},"name":")" + name + R"(","inbound_nodes":[[[")" +
           from + R"(",0,0,{}]]],"shared_object_id":9})";
  };
  BOOST_TEST(error_of(model_of(input("in", "[null,4]") + "," + dense("one", R"("units":5)", "in") +
                                   "," + dense("out", head, "one"),
                               R"([["in",0,0]])", R"([["out",0,0]])")) == "accepted");
}

BOOST_AUTO_TEST_CASE(what_a_graph_may_not_be_is_named_with_its_place) {
  const auto with = [](const std::string& middle, const std::string& outputs) {
    return model_of(input("in", "[null,4]") + "," + middle + "," +
                        layer("Dense", "out", head, called(tensor("mid"))),
                    R"([["in",0,0]])", outputs);
  };
  const std::string one = R"([["out",0,0]])";
  BOOST_TEST(
      says(error_of(with(layer("Dense", "mid", R"("units":4)",
                               R"([{"args":[)" + tensor("in") + R"(],"kwargs":{}},{"args":[)" +
                                   tensor("in") + R"(],"kwargs":{}}])"),
                         one)),
           "layers[1].inbound_nodes: expected one call of the layer, saw 2; layers that are "
           "shared are not supported"));
  BOOST_TEST(says(error_of(with(layer("Dense", "mid", R"("units":4)", called(tensor("no"))), one)),
                  "layers[1].inbound_nodes: reads 'no', which is no layer"));
  BOOST_TEST(says(error_of(with(layer("Dense", "mid", R"("units":4)", called(tensor("mid"))), one)),
                  "layers[1].inbound_nodes: the layer waits for itself"));
  BOOST_TEST(says(error_of(with(layer("Dense", "mid", R"("units":4)", called(tensor("in"))),
                                R"([["out",0,0],["mid",0,0]])")),
                  "output_layers: expected one output, saw 2"));
  BOOST_TEST(says(error_of(with(layer("Dense", "mid", R"("units":4)",
                                      called(tensor("in"), R"({"mask":)" + tensor("in") + "}")),
                                one)),
                  "kwargs.mask: is not supported; masks come from Embedding's mask_zero alone"));
  BOOST_TEST(says(error_of(with(layer("Concatenate", "mid", R"("axis":2)",
                                      called("[" + tensor("in") + "," + tensor("in") + "]")),
                                one)),
                  "layer 'mid': axis is 2; only the last axis of (4) is supported"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::model
