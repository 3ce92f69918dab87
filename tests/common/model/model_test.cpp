// SPDX-License-Identifier: Apache-2.0
#include "common/model/model.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/folders.hpp"

namespace entente::model {
namespace {

std::string file_text(const std::string& name) {
  std::ifstream file(tests_folder().string() + "/vectors/models/" + name);
  BOOST_REQUIRE(file.is_open());
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The Keras 3 file with `from` replaced once.
Result<ModelSpec> altered(const std::string& from, const std::string& to) {
  std::string text = file_text("keras3_cnn.json");
  const std::size_t at = text.find(from);
  BOOST_REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
  return parse_model(text);
}

std::string error_after(const std::string& from, const std::string& to) {
  const auto model = altered(from, to);
  return model ? "accepted" : model.error().detail;
}

bool says(const std::string& text, std::string_view part) {
  BOOST_TEST_INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(model_descriptions)

BOOST_AUTO_TEST_CASE(
    a_keras_2_file_and_a_keras_3_file_of_one_model_compile_to_the_same_parameters) {
  const auto two = parse_model(file_text("keras2_cnn.json"));
  const auto three = parse_model(file_text("keras3_cnn.json"));
  BOOST_TEST_REQUIRE(two.has_value(), (two ? "" : two.error().detail));
  BOOST_TEST_REQUIRE(three.has_value(), (three ? "" : three.error().detail));
  const auto old_network = compile(*two), new_network = compile(*three);
  BOOST_TEST_REQUIRE(old_network.has_value());
  BOOST_TEST_REQUIRE(new_network.has_value());
  BOOST_TEST((old_network->layout() == new_network->layout()));
  BOOST_TEST(old_network->parameter_count() == 105'866U);
  BOOST_TEST(old_network->output_count() == 10U);
  BOOST_TEST((old_network->input_shape() == engine::Shape{28, 28, 1}));
  BOOST_TEST(old_network->layout().tensors()[0].name == "conv2d/kernel");
  BOOST_TEST((old_network->layout().tensors()[0].shape == std::vector<std::uint64_t>{3, 3, 1, 16}));
}

BOOST_AUTO_TEST_CASE(what_a_keras_file_says_arrives_in_the_layers) {
  const ModelSpec model = parse_model(file_text("keras3_cnn.json")).value();
  BOOST_TEST(model.name == "small_cnn");
  BOOST_TEST(model.graph.layers.size() == 8U);
  const auto& first = std::get<engine::Conv2D>(model.graph.layers[0].kind);
  BOOST_TEST(first.filters == 16U);
  BOOST_TEST((first.padding == engine::Padding::same));
  BOOST_TEST((first.activation == engine::Activation::relu));
  BOOST_TEST((first.kernel_initializer.kind == engine::Initializer::Kind::scaled_truncated_normal));
  BOOST_TEST(first.kernel_initializer.first == 2.0);
  const auto& pooled = std::get<engine::MaxPooling2D>(model.graph.layers[1].kind);
  BOOST_TEST((pooled.strides == std::array<std::uint64_t, 2>{2, 2}));
  BOOST_TEST(std::get<engine::Dense>(model.graph.layers[5].kind).bias_initializer.first == 0.1);
  BOOST_TEST((std::get<engine::ActivationLayer>(model.graph.layers[7].kind).activation ==
              engine::Activation::softmax));
}

BOOST_AUTO_TEST_CASE(a_first_layer_with_its_own_input_shape_needs_no_input_layer) {
  const auto model = parse_model(R"({"class_name":"Sequential","config":{"name":"m","layers":[
    {"class_name":"Dense","config":{"name":"only","batch_input_shape":[null,30],"units":2,"activation":"softmax",
     "kernel_initializer":"glorot_uniform"}}]}})");
  BOOST_TEST_REQUIRE(model.has_value());
  BOOST_TEST((model->graph.inputs[0].shape == engine::Shape{30}));
  BOOST_TEST(compile(*model)->parameter_count() == 62U);
}

BOOST_AUTO_TEST_CASE(a_sequential_of_early_keras_2_is_a_list_of_layers) {
  const auto model = parse_model(R"({"class_name":"Sequential","keras_version":"2.1.6",
    "backend":"tensorflow","config":[
    {"class_name":"Dense","config":{"name":"one","trainable":true,"batch_input_shape":[null,30],
     "dtype":"float32","units":4,"activation":"relu","use_bias":true,"kernel_initializer":
     {"class_name":"VarianceScaling","config":{"scale":1.0,"mode":"fan_avg","distribution":
     "uniform","seed":null}},"bias_initializer":{"class_name":"Zeros","config":{}}}},
    {"class_name":"Dense","config":{"name":"two","units":2,"activation":"softmax"}}]})");
  BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
  BOOST_TEST((model->graph.inputs[0].shape == engine::Shape{30}));
  BOOST_TEST(compile(*model)->parameter_count() == 134U);
  const auto without = parse_model(R"({"class_name":"Sequential","config":[
    {"class_name":"Dense","config":{"name":"only","units":2,"activation":"softmax"}}]})");
  BOOST_TEST_REQUIRE(!without.has_value());
  BOOST_TEST(says(without.error().detail, "model.config: no input shape"));
}

BOOST_AUTO_TEST_CASE(a_model_that_was_built_without_an_input_layer_takes_its_built_shape) {
  const auto model =
      parse_model(R"({"class_name":"Sequential","config":{"build_input_shape":[null,30],"layers":[
    {"class_name":"Dense","config":{"name":"only","units":2,"activation":"softmax"}}]}})");
  BOOST_TEST_REQUIRE(model.has_value());
  BOOST_TEST((model->graph.inputs[0].shape == engine::Shape{30}));
}

BOOST_AUTO_TEST_CASE(errors_name_the_place_what_was_expected_and_what_was_seen) {
  BOOST_TEST(says(error_after(R"("padding": "same")", R"("padding": "full")"),
                  "model.config.layers[1].config.padding: expected 'same' or 'valid', saw 'full'"));
  BOOST_TEST(says(error_after(R"("filters": 16)", R"("filters": -1)"),
                  "model.config.layers[1].config.filters: expected"));
  BOOST_TEST(says(error_after(R"("class_name": "Flatten")", R"("class_name": "Lambda")"),
                  "model.config.layers[5].class_name: layer 'Lambda' is not supported; supported: "
                  "Activation, Add, AveragePooling1D"));
  BOOST_TEST(says(error_after(R"("filters": 16)", R"("filtres": 16)"), "did you mean"));
  BOOST_TEST(
      says(error_after(R"("data_format": "channels_last")", R"("data_format": "channels_first")"),
           "data_format: expected 'channels_last', saw 'channels_first'"));
  BOOST_TEST(says(error_after(R"("strides": [1, 1])", R"("strides": [1, 0])"),
                  "strides: expected an integer from 1"));
  BOOST_TEST(says(error_after(R"("strides": [1, 1])", R"("strides": [1, 1, 1])"),
                  "strides: expected a list of two"));
  BOOST_TEST(says(error_after(R"("groups": 1)", R"("groups": 2)"), "groups: only 1 is supported"));
  BOOST_TEST(says(error_after(R"("dilation_rate": [1, 1])", R"("dilation_rate": [2, 2])"),
                  "dilation_rate: only 1"));
  BOOST_TEST(says(
      error_after(R"("batch_shape": [null, 28, 28, 1])", R"("batch_shape": [null, null, 28, 1])"),
      "batch_shape[1]: expected an integer from 1, saw null"));
  BOOST_TEST(says(
      error_after(R"("kernel_regularizer": null)", R"("kernel_regularizer": {"class_name": "L2"})"),
      "kernel_regularizer: is not supported yet; expected null"));
  BOOST_TEST(says(error_after(R"("trainable": true)", R"("trainable": false)"),
                  "trainable: only true is supported"));
  BOOST_TEST(says(error_after(R"("activation": "relu")", R"("activation": "selu")"),
                  "activation: expected one of 'elu', 'gelu', 'leaky_relu', 'linear', 'relu', "
                  "'sigmoid', 'silu', 'softmax', 'swish', 'tanh', saw 'selu'"));
  BOOST_TEST(
      says(error_after(R"("activation": "relu")",
                       R"("activation": {"class_name": "LeakyReLU", "config": {}})"),
           "'swish', 'tanh', saw an object; ReLU, LeakyReLU, ELU and Softmax are supported as "
           "layers of their own"));
  BOOST_TEST(
      says(error_after(R"("class_name": "HeNormal")", R"("class_name": "Delta")"),
           "kernel_initializer: initialiser 'Delta' is not supported; supported: GlorotUniform"));
  BOOST_TEST(says(error_after(R"("class_name": "Sequential")", R"("class_name": "Subclass")"),
                  "model.class_name: expected 'Sequential' or 'Functional', saw 'Subclass'"));
  BOOST_TEST(says(error_after(R"("name": "float32")", R"("name": "mixed_float16")"),
                  "dtype: expected 'float32'"));
  BOOST_TEST(says(error_after(R"("layers": [)", R"("layers": [7, )"),
                  "model.config.layers[0]: expected an object, saw 7"));
}

BOOST_AUTO_TEST_CASE(the_number_of_a_softmaxs_axis_must_be_that_of_the_last) {
  const auto text = [](const std::string& axis) {
    const auto model = parse_model(R"({"class_name":"Sequential","config":{"layers":[
      {"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,5,4]}},
      {"class_name":"Dense","config":{"name":"d","units":3}},
      {"class_name":"Softmax","config":{"name":"s","axis":)" +
                                   axis + "}}]}}");
    if (!model) return model.error().detail;
    const auto network = compile(*model);
    return network ? std::string("accepted") : network.error().detail;
  };
  BOOST_TEST(text("2") == "accepted");
  BOOST_TEST(text("-1") == "accepted");
  BOOST_TEST(says(text("1"), "layer 's': axis is 1; only the last axis of (5, 3) is supported"));
  BOOST_TEST(says(text("-2"), "layers[2].config.axis: only the last axis is supported"));
}

BOOST_AUTO_TEST_CASE(inputs_may_be_whole_numbers_of_any_size) {
  const auto read = [](const std::string& type) {
    return parse_model(R"({"class_name":"Sequential","config":{"layers":[
      {"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,4],"dtype":")" +
                       type + R"("}},{"class_name":"Dense","config":{"name":"d","units":3}}]}})");
  };
  for (const std::string type : {"float32", "bool", "int8", "int16", "int32", "int64", "uint8",
                                 "uint16", "uint32", "uint64"})
    BOOST_TEST(read(type).has_value(), type);
  const auto half = read("float16");
  BOOST_TEST_REQUIRE(!half.has_value());
  BOOST_TEST(
      says(half.error().detail, "layers[0].config.dtype: expected 'float32', saw 'float16'"));
}

BOOST_AUTO_TEST_CASE(identity_is_an_initialiser_of_matrices) {
  const auto spec = altered(R"("class_name": "HeNormal")", R"("class_name": "Identity")");
  BOOST_TEST_REQUIRE(spec.has_value(), (spec ? "" : spec.error().detail));
  const auto network = compile(*spec);
  BOOST_TEST_REQUIRE(!network.has_value());
  BOOST_TEST(network.error().detail ==
             "model: layer 'conv2d': the initialiser Identity makes matrices alone, but kernel is "
             "(3, 3, 1, 16)");
  for (const std::string given :
       {R"("identity")", R"("Identity")", R"("IdentityInitializer")",
        R"({"module":"keras.initializers","class_name":"Identity","config":{"gain":1.0}})",
        R"({"class_name":"IdentityInitializer","config":{"gain":1}})"}) {
    const auto model = parse_model(R"({"class_name":"Sequential","config":{"layers":[
      {"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,4]}},
      {"class_name":"Dense","config":{"name":"d","units":3,"kernel_initializer":)" +
                                   given + "}}]}}");
    BOOST_TEST_REQUIRE(model.has_value(), (model ? "" : model.error().detail));
    const auto& kernel = std::get<engine::Dense>(model->graph.layers[0].kind).kernel_initializer;
    BOOST_TEST((kernel.kind == engine::Initializer::Kind::identity));
    BOOST_TEST(kernel.first == 1.0);
  }
}

// Keras 2 writes so of an Embedding without input_length, and all versions of Input((None,)).
BOOST_AUTO_TEST_CASE(open_sizes_of_a_single_input_are_those_of_an_example) {
  const auto error_with = [](const std::string& text, const engine::Shape& example) {
    const auto model = read_model(parse_json(text, model_max_bytes).value(), "model", &example);
    return model ? engine::to_text(model->graph.inputs[0].shape) : model.error().detail;
  };
  const std::string table = R"({"class_name":"Embedding","config":{"name":"e","input_dim":9,)"
                            R"("output_dim":2,"batch_input_shape":[null,null]}})";
  const std::string sequential =
      R"({"class_name":"Sequential","config":{"layers":[)" + table + "]}}";
  BOOST_TEST(error_with(sequential, {7}) == "(7)");
  BOOST_TEST(error_with(R"({"class_name":"Sequential","config":[)" + table + "]}", {7}) == "(7)");
  BOOST_TEST(says(error_with(sequential, {7, 2}),
                  "batch_input_shape[1]: expected an integer from 1, "
                  "saw null; only a single input"));
  const auto alone = parse_model(sequential);
  BOOST_TEST(says(alone ? "accepted" : alone.error().detail, "saw null; only a single input"));
  const auto functional = [](const std::string& inputs) {
    const auto input = [](const std::string& name) {
      return R"({"class_name":"InputLayer","name":")" + name + R"(","config":{"name":")" + name +
             R"(","batch_shape":[null,null,3]},"inbound_nodes":[]},)";
    };
    return R"({"class_name":"Functional","config":{"layers":[)" + input("a") + input("b") +
           R"({"class_name":"Dense","name":"d","config":{"name":"d","units":2},"inbound_nodes":)"
           R"([[["a",0,0,{}]]]}],"input_layers":)" +
           inputs + R"(,"output_layers":[["d",0,0]]}})";
  };
  BOOST_TEST(error_with(functional(R"([["a",0,0]])"), {5, 3}) == "(5, 3)");
  BOOST_TEST(says(error_with(functional(R"([["a",0,0],["b",0,0]])"), {5, 3}),
                  "layers[0].config.batch_shape[1]: expected an integer from 1, saw null"));
}

BOOST_AUTO_TEST_CASE(what_is_no_model_at_all_is_one_clear_line) {
  for (const std::string_view text :
       {"", "[]", "{}", "null", "{\"class_name\": 3}", "{\"class_name\":\"Sequential\"}",
        R"({"class_name":"Sequential","config":{"layers":[]}})",
        R"({"class_name":"Sequential","config":{"layers":{}}})"}) {
    const auto model = parse_model(text);
    BOOST_TEST_REQUIRE(!model.has_value(), text);
    BOOST_TEST((model.error().code == Errc::malformed));
    BOOST_TEST(model.error().detail.find("model") == 0U, model.error().detail);
    BOOST_TEST(model.error().detail.find('\n') == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_model_without_any_input_shape_says_how_to_get_one) {
  const auto model = parse_model(R"({"class_name":"Sequential","config":{"layers":[
    {"class_name":"Dense","config":{"name":"only","units":2,"activation":"softmax"}}]}})");
  BOOST_TEST_REQUIRE(!model.has_value());
  BOOST_TEST(says(model.error().detail, "no input shape; put an InputLayer first"));
}

// Whatever stands before the first input, and in either form of the file.
BOOST_AUTO_TEST_CASE(operations_on_masks_have_no_place_in_a_sequential) {
  const std::string layers = R"([{"class_name":"NotEqual","config":{}},
    {"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,4]}},
    {"class_name":"Dense","config":{"name":"only","units":2,"activation":"softmax"}}])";
  const auto model =
      parse_model(R"({"class_name":"Sequential","config":{"layers":)" + layers + "}}");
  BOOST_TEST_REQUIRE(!model.has_value());
  BOOST_TEST(model.error().detail ==
             "model.config.layers[0].class_name: operations on masks belong to Functional models");
  const auto list = parse_model(R"({"class_name":"Sequential","config":)" + layers + "}");
  BOOST_TEST_REQUIRE(!list.has_value());
  BOOST_TEST(list.error().detail ==
             "model.config[0].class_name: operations on masks belong to Functional models");
}

BOOST_AUTO_TEST_CASE(an_input_shape_that_differs_from_the_input_layers_is_refused) {
  const auto model = parse_model(R"({"class_name":"Sequential","config":{"layers":[
    {"class_name":"InputLayer","config":{"name":"i","batch_shape":[null,4]}},
    {"class_name":"Dense","config":{"name":"only","batch_input_shape":[null,5],"units":2,
     "activation":"softmax"}}]}})");
  BOOST_TEST_REQUIRE(!model.has_value());
  BOOST_TEST(
      says(model.error().detail, "layers[1]: input shape (5) differs from the input layer's (4)"));
}

BOOST_AUTO_TEST_CASE(layers_that_do_not_fit_together_are_an_error_of_compile_that_names_the_layer) {
  const auto model = altered(R"("class_name": "Flatten")", R"("class_name": "ReLU")");
  BOOST_TEST_REQUIRE(!model.has_value());  // Flatten's data_format is not ReLU's
  const auto flat = parse_model(R"({"class_name":"Sequential","config":{"layers":[
    {"class_name":"InputLayer","config":{"name":"in","batch_shape":[null,8,8,1]}},
    {"class_name":"Dense","config":{"name":"head","units":2,"activation":"softmax"}}]}})");
  BOOST_TEST_REQUIRE(flat.has_value());
  const auto network = compile(*flat);
  BOOST_TEST_REQUIRE(!network.has_value());
  BOOST_TEST(says(network.error().detail,
                  "model: layer 'head': softmax needs a row, or a sequence of rows, of at least 2 "
                  "classes, but gets (8, 8, 2)"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace entente::model
