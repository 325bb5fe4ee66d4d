using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace DaprPlatform.ServiceDefaults;

/// <summary>
/// Completes the OpenAPI document where all operations are alike: an example for each body, one problem for each error, the headers that are read and written.
/// A property has one meaning in the whole API, so its example goes by its name.
/// </summary>
internal sealed class ApiExamples : IDocumentFilter
{
    private const string Json = "application/json";
    private const string ProblemJson = "application/problem+json";
    private const int Deepest = 8;

    private static readonly Dictionary<string, string> Texts = new(StringComparer.Ordinal)
    {
        ["accessToken"] = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJVU1ItMDE5MDAwMDAifQ.c2lnbmF0dXJl",
        ["address"] = "12 St James Square, London",
        ["brand"] = "visa",
        ["cardBrand"] = "visa",
        ["cardLast4"] = "1111",
        ["categoryId"] = "home-kitchen",
        ["comment"] = "known customer",
        ["currency"] = "USD",
        ["cvc"] = "123",
        ["description"] = "A mug for coffee",
        ["email"] = "ada@example.com",
        ["failureReason"] = "card_declined",
        ["firstName"] = "Ada",
        ["id"] = "ORD-01900000-0000-7000-8000-000000000001",
        ["last4"] = "1111",
        ["lastName"] = "Lovelace",
        ["method"] = "CREDIT_CARD",
        ["name"] = "Coffee Mug",
        ["nextCursor"] = "ORD-01900000-0000-7000-8000-000000000001",
        ["orderId"] = "ORD-01900000-0000-7000-8000-000000000001",
        ["outcome"] = "decline",
        ["password"] = "correct-horse-1",
        ["paymentId"] = "PAY-01900000-0000-7000-8000-000000000002",
        ["paymentMethod"] = "CREDIT_CARD",
        ["phone"] = "+44 20 7946 0000",
        ["productId"] = "MUG-001",
        ["reason"] = "changed my mind",
        ["refreshToken"] = "nS0mYqf0p8K6mQx1b7xJm5i1k1v3s9d2",
        ["shippingAddress"] = "12 St James Square, London",
        ["sku"] = "MUG-001",
        ["status"] = "CONFIRMED",
        ["token"] = "tok_approve",
        ["tokenType"] = "Bearer",
        // Of roles, which is a list of texts.
        ["roles"] = "customer",
    };

    private static readonly Dictionary<string, long> Numbers = new(StringComparer.Ordinal)
    {
        ["amountMinor"] = 1599,
        ["available"] = 40,
        ["expMonth"] = 12,
        ["expYear"] = 2030,
        ["expiresIn"] = 900,
        ["limit"] = 20,
        ["lineTotalMinor"] = 1599,
        ["priceMinor"] = 1599,
        ["refundedMinor"] = 0,
        ["stock"] = 100,
        ["totalMinor"] = 1599,
        ["unitPriceMinor"] = 1599,
    };

    private static readonly (string Operation, string Name, string Description, string Example)[] RequestHeaders =
    [
        ("PlaceOrder", "Idempotency-Key", "The same key with the same body gives the same order; with another body 422.", "my-first-order"),
        ("PlaceOrder", "Prefer", "wait=N answers as soon as the order is decided (201), after N seconds (at most 30) at the latest (202).", "wait=20"),
        ("PayOrder", "Idempotency-Key", "The same key with the same body gives the same payment; with another body 422.", "my-first-payment"),
        ("RefundPayment", "Idempotency-Key", "The same key with the same body gives the same refund; with another body 422.", "my-first-refund"),
        ("GetOrder", "Prefer", "wait=N answers as soon as the order is decided, after N seconds (at most 30) at the latest.", "wait=20"),
        ("PutBasket", "If-Match", "The ETag of the basket that is replaced, or * for whichever it is.", "*"),
        ("UpdateProfile", "If-Match", "The ETag of the profile that is changed.", "\"1\""),
        ("WatchOrder", "Last-Event-ID", "The last change that was seen; what follows is told.", "2"),
    ];

    public void Apply(OpenApiDocument swaggerDoc, DocumentFilterContext context)
    {
        var problem = context.SchemaGenerator.GenerateSchema(typeof(ProblemDetails), context.SchemaRepository);
        foreach (var item in swaggerDoc.Paths.Values)
        {
            if (item.Operations is not { } operations)
                continue;
            foreach (var operation in operations.Values)
            {
                if (operation.RequestBody?.Content is { } body)
                    Illustrate(body, context.SchemaRepository);
                if (operation.Responses is { } responses)
                    foreach (var (status, response) in responses)
                        if (response is OpenApiResponse answer)
                            Complete(status, answer, problem, context.SchemaRepository);
                foreach (var (_, name, description, example) in RequestHeaders.Where(h => h.Operation == operation.OperationId))
                    AddHeader(operation, name, description, example);
            }
        }
    }

    private static void Complete(string status, OpenApiResponse answer, IOpenApiSchema problem, SchemaRepository schemas)
    {
        if (status is "429" or "503")
            Describe(answer, "Retry-After", "Seconds after which to ask again.", JsonSchemaType.Integer);
        if (status[0] is '4' or '5')
        {
            var title = answer.Description ?? "The request failed";
            var number = int.Parse(status, CultureInfo.InvariantCulture);
            var code = CodeOf(number);
            answer.Content = new Dictionary<string, IOpenApiMediaType>(StringComparer.Ordinal)
            {
                [ProblemJson] = new OpenApiMediaType
                {
                    Schema = problem,
                    Example = new JsonObject
                    {
                        ["type"] = "urn:problem:" + code,
                        ["title"] = title,
                        ["status"] = number,
                        ["code"] = code,
                    },
                },
            };
            return;
        }
        if (answer.Content is not { } content)
            return;
        Illustrate(content, schemas);
        if (content.TryGetValue(Json, out var list) && list.Example is JsonObject example && example.ContainsKey("page"))
            Describe(answer, "Link", "The neighbours of the page (RFC 8288): first, prev, next, last.", JsonSchemaType.String);
    }

    private static void Describe(OpenApiResponse answer, string name, string description, JsonSchemaType type)
    {
        answer.Headers ??= new Dictionary<string, IOpenApiHeader>(StringComparer.Ordinal);
        answer.Headers[name] = new OpenApiHeader { Description = description, Schema = new OpenApiSchema { Type = type } };
    }

    private static void AddHeader(OpenApiOperation operation, string name, string description, string example)
    {
        operation.Parameters ??= [];
        if (operation.Parameters.Any(p => p.Name == name))
            return;
        operation.Parameters.Add(new OpenApiParameter
        {
            Name = name,
            In = ParameterLocation.Header,
            Description = description,
            Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            Example = example,
        });
    }

    private static void Illustrate(IDictionary<string, IOpenApiMediaType> content, SchemaRepository schemas)
    {
        foreach (var (type, media) in content)
            if (type == Json && media is OpenApiMediaType { Example: null, Schema: { } schema } own)
                own.Example = ExampleOf(schema, "", schemas, 0);
    }

    private static string CodeOf(int status) => status switch
    {
        402 => "payment-declined",
        409 => "conflict",
        412 => "precondition-failed",
        422 => "unprocessable",
        428 => "precondition-required",
        503 => "unavailable",
        _ => Problems.ProblemWriter.CodeOf(status),
    };

    private static JsonNode? ExampleOf(IOpenApiSchema schema, string name, SchemaRepository schemas, int depth)
    {
        // A reference finds its schema once the document is whole, which it is not yet.
        if (schema is OpenApiSchemaReference { Reference.Id: { } id } && schemas.Schemas.TryGetValue(id, out var target))
            schema = target;
        var type = schema.Type ?? (schema.Properties is { Count: > 0 } ? JsonSchemaType.Object : JsonSchemaType.Null);
        if (depth > Deepest)
            return null;
        if (type.HasFlag(JsonSchemaType.Object))
            return new JsonObject((schema.Properties ?? new Dictionary<string, IOpenApiSchema>()).Select(p => KeyValuePair.Create(p.Key, ExampleOf(p.Value, p.Key, schemas, depth + 1))));
        if (type.HasFlag(JsonSchemaType.Array))
            return schema.Items is { } items ? new JsonArray(ExampleOf(items, name, schemas, depth + 1)) : [];
        if (type.HasFlag(JsonSchemaType.Boolean))
            return JsonValue.Create(true);
        if (type.HasFlag(JsonSchemaType.Integer))
            return JsonValue.Create(Numbers.GetValueOrDefault(name, 1));
        if (type.HasFlag(JsonSchemaType.Number))
            return JsonValue.Create((double)Numbers.GetValueOrDefault(name, 1));
        if (!type.HasFlag(JsonSchemaType.String))
            return null;
        return name switch
        {
            _ when schema.Format == "date-time" => JsonValue.Create("2026-01-02T03:04:05Z"),
            "number" => JsonValue.Create("4111111111111111"),
            _ => JsonValue.Create(Texts.GetValueOrDefault(name, name)),
        };
    }
}
