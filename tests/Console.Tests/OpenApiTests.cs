using System.Text.Json;
using System.Text.Json.Nodes;
using DaprPlatform.Cli.OpsConsole;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.Swagger;

namespace DaprPlatform.OpsConsole.Tests;

/// <summary>The document of the API is checked in, served as it is, and compared with the endpoints that there are.</summary>
public sealed class OpenApiTests
{
    private static readonly string Listed = Path.Combine(RoleTests.Root(), "cli", "Console", "openapi.json");

    [Fact]
    public async Task The_document_that_is_checked_in_says_what_the_server_has()
    {
        await using var world = await ConsoleWorld.StartAsync();
        await using var app = ConsoleServer.Build(world.System, ConsoleDoor.Socket, _ => { }, services =>
        {
            services.AddEndpointsApiExplorer();
            services.AddSwaggerGen(options =>
            {
                options.SwaggerDoc("v1", new OpenApiInfo
                {
                    Title = "Operations console",
                    Version = "v1",
                    Description = "What runs in a stack, what it does, and the changes that may be made to it. Members that are null are left out. Every refusal is application/problem+json. "
                        + "Changes need the header X-Console: 1; who signs in gets a cookie.",
                });
                options.SupportNonNullableReferenceTypes();
                // Any JSON.
                options.MapType<JsonNode>(() => new OpenApiSchema());
                options.MapType<JsonObject>(() => new OpenApiSchema { Type = JsonSchemaType.Object, AdditionalPropertiesAllowed = true, AdditionalProperties = new OpenApiSchema() });
                options.NonNullableReferenceTypesAsRequired();
                options.CustomSchemaIds(type => type.IsGenericType ? $"{type.Name.Split('`')[0]}Of{string.Join("And", type.GetGenericArguments().Select(a => a.Name))}" : type.Name);
            });
        });
        // The endpoints of an application that is not started are described once they are said to be its own.
#pragma warning disable ASP0014
        app.UseEndpoints(static _ => { });
#pragma warning restore ASP0014
        using var text = new StringWriter();
        app.Services.GetRequiredService<ISwaggerProvider>().GetSwagger("v1").SerializeAsV3(new OpenApiJsonWriter(text));
        var found = JsonNode.Parse(text.ToString())!.ToJsonString(new JsonSerializerOptions { WriteIndented = true }) + "\n";
        if (Environment.GetEnvironmentVariable("UPDATE_DOCS") == "1")
            await File.WriteAllTextAsync(Listed, found, ConsoleWorld.Cancel);
        Assert.True(await File.ReadAllTextAsync(Listed, ConsoleWorld.Cancel) == found, $"{Listed} is not what the server has: run these tests with UPDATE_DOCS=1.");
    }

    [Fact]
    public async Task It_names_every_endpoint_of_a_console_that_runs_and_nothing_else()
    {
        await using var world = await ConsoleWorld.StartAsync();
        var served = ((IEndpointRouteBuilder)world.Server.App).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.RawText!.TrimStart('/').StartsWith(ConsoleApi.Prefix.TrimStart('/'), StringComparison.Ordinal) && e.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>() is not { ExcludeFromDescription: true })
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Select(m => $"{m} /{e.RoutePattern.RawText!.Trim('/').Replace("{**", "{", StringComparison.Ordinal)}") ?? [])
            .Distinct().Order(StringComparer.Ordinal);
        var document = JsonNode.Parse(await File.ReadAllTextAsync(Listed, ConsoleWorld.Cancel))!;
        var listed = document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject().Select(o => $"{o.Key.ToUpperInvariant()} {p.Key}")).Order(StringComparer.Ordinal).ToList();
        Assert.True(listed.Count > 40, $"The document lists {listed.Count} operations.");
        Assert.Equal(served, listed);
    }

    [Fact]
    public async Task It_is_served_and_every_operation_has_a_name_and_a_summary()
    {
        await using var world = await ConsoleWorld.StartAsync();
        using var response = await world.Http.GetAsync("/api/v1/openapi.json", ConsoleWorld.Cancel);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        var document = JsonNode.Parse(await response.Content.ReadAsStringAsync(ConsoleWorld.Cancel))!;
        var nameless = document["paths"]!.AsObject().SelectMany(p => p.Value!.AsObject().Select(o => (Path: $"{o.Key} {p.Key}", Operation: o.Value!)))
            .Where(o => o.Operation["operationId"] is null || o.Operation["summary"] is null).Select(o => o.Path);
        Assert.Empty(nameless);
    }
}
