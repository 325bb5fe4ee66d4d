using System.Globalization;
using System.Text.Json.Nodes;
using DaprPlatform.Services.Tests.Fixtures;
using Xunit;

namespace DaprPlatform.Services.Tests;

/// <summary>The OpenAPI document of each service: what runs is what is checked in, and it says everything a client needs.</summary>
public sealed class ApiDocumentTests
{
    private static readonly string[] Methods = ["get", "put", "post", "delete", "patch"];

    public static TheoryData<string> Names => ServiceApps.Names;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task The_document_of_the_running_service_is_the_one_checked_in(string service) =>
        await ServiceApps.CompareAsync(service, "openapi.json", await DocumentAsync(service), Cancel);

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_operation_has_a_name_a_summary_and_its_answers(string service)
    {
        var document = JsonNode.Parse(await DocumentAsync(service))!;
        Assert.StartsWith("3.1", (string?)document["openapi"], StringComparison.Ordinal);
        Assert.NotNull(document["components"]!["securitySchemes"]!["bearer"]);
        var names = new List<string>();
        var wrong = new List<string>();
        foreach (var (path, item) in document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in item!.AsObject().Where(o => Methods.Contains(o.Key)))
            {
                var responses = operation!["responses"]!.AsObject().Select(r => r.Key).ToHashSet();
                var parameters = operation["parameters"]?.AsArray().Select(p => (string)p!["name"]!).ToHashSet() ?? [];
                names.Add((string?)operation["operationId"] ?? "");
                Require((string?)operation["operationId"] is { Length: > 0 }, "has no operationId");
                Require((string?)operation["summary"] is { Length: > 0 }, "has no summary");
                Require(operation["tags"]?.AsArray().Count > 0, "has no tag");
                Require(responses.Any(r => r[0] == '2'), "has no success");
                Require(operation["security"] is null || responses.Contains("401"), "needs a user and does not say 401");
                Require(operation["requestBody"] is null || (responses.Contains("400") && responses.Contains("413")), "takes a body and does not say 400 and 413");
                foreach (var (status, response) in operation["responses"]!.AsObject())
                {
                    Require((string?)response!["description"] is { Length: > 0 }, $"says nothing of {status}");
                    if (status[0] is '4' or '5')
                        Require(response["content"]?["application/problem+json"] is { } problem && (int?)problem["example"]?["status"] == int.Parse(status, CultureInfo.InvariantCulture), $"has no example of the problem {status}");
                    Require(status is not ("429" or "503") || response["headers"]?["Retry-After"] is not null, $"has no Retry-After at {status}");
                    Require(response["content"]?["application/json"] is not { } body || body["example"] is not null, $"has no example of {status}");
                    // Lists are paged, sorted and linked in one way.
                    if (status == "200" && response["content"]?["application/json"]?["example"]?["page"] is { } page)
                    {
                        Require(page["total"] is not null && page["limit"] is not null, "has a page without total or limit");
                        Require(response["headers"]?["Link"] is not null, "is a list without Link");
                        Require(((string[])["page", "limit", "cursor"]).All(parameters.Contains), "is a list without page, limit or cursor");
                    }
                }
                Require(operation["requestBody"]?["content"]?["application/json"] is not { } sent || Fits(sent["example"], sent["schema"], document), "has no example of what it takes, or one that does not fit");
                Require(operation["security"] is null || operation["security"]!.AsArray().All(s => s!.AsObject().All(n => document["components"]!["securitySchemes"]![n.Key] is not null)), "names a security scheme that is not there");
                Require(!path.Contains('{') || parameters.Contains(path[(path.IndexOf('{') + 1)..path.IndexOf('}')]), "does not describe what its path names");
                Require(!path.Contains('{') || responses.Contains("404"), "names a resource and does not say 404");

                void Require(bool holds, string what)
                {
                    if (!holds)
                        wrong.Add($"{method} {path} {what}");
                }
            }
        }
        Assert.Empty(wrong);
        Assert.Equal(names.Count, names.Distinct(StringComparer.Ordinal).Count());
    }

    /// <summary>Whether an example has what its schema says: the names, and nothing besides.</summary>
    private static bool Fits(JsonNode? example, JsonNode? schema, JsonNode document)
    {
        if ((string?)schema?["$ref"] is { } reference)
            schema = document["components"]!["schemas"]![reference[(reference.LastIndexOf('/') + 1)..]];
        return example switch
        {
            JsonObject members => schema?["properties"] is not JsonObject properties
                ? members.Count == 0
                : members.Count == properties.Count && members.All(m => properties.ContainsKey(m.Key) && (m.Value is null || Fits(m.Value, properties[m.Key], document))),
            JsonArray entries => entries.Count > 0 && entries.All(e => Fits(e, schema?["items"], document)),
            JsonValue => schema is not null,
            _ => false,
        };
    }

    private static async Task<string> DocumentAsync(string service)
    {
        using var app = ServiceApps.Start(service);
        using var client = app.ClientOf(null);
        return await client.GetStringAsync(new Uri("/swagger/v1/swagger.json", UriKind.Relative), Cancel);
    }
}
