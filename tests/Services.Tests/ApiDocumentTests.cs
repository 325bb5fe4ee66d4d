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
                names.Add((string?)operation["operationId"] ?? "");
                Require((string?)operation["operationId"] is { Length: > 0 }, "has no operationId");
                Require((string?)operation["summary"] is { Length: > 0 }, "has no summary");
                Require(operation["tags"]?.AsArray().Count > 0, "has no tag");
                Require(responses.Any(r => r[0] == '2'), "has no success");
                Require(operation["security"] is null || responses.Contains("401"), "needs a user and does not say 401");
                Require(operation["requestBody"] is null || (responses.Contains("400") && responses.Contains("413")), "takes a body and does not say 400 and 413");
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

    private static async Task<string> DocumentAsync(string service)
    {
        using var app = ServiceApps.Start(service);
        using var client = app.ClientOf(null);
        return await client.GetStringAsync(new Uri("/swagger/v1/swagger.json", UriKind.Relative), Cancel);
    }
}
