using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Swashbuckle.AspNetCore.SwaggerGen;

namespace DaprPlatform.ServiceDefaults;

/// <summary>The OpenAPI document of the service's REST face and Swagger UI for it.</summary>
internal static class ApiDocument
{
    private const string Bearer = "bearer";

    public static void AddApiDocument(this IServiceCollection services, string appId)
    {
        services.AddEndpointsApiExplorer();
        services.AddSwaggerGen(options =>
        {
            options.SwaggerDoc("v1", new OpenApiInfo { Title = $"DaprPlatform {appId}", Version = "v1" });
            options.SupportNonNullableReferenceTypes();
            options.AddSecurityDefinition(Bearer, new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                BearerFormat = "JWT",
                Description = "The accessToken of POST /api/v1/auth/login.",
            });
            options.OperationFilter<SecurityFilter>();
            options.OperationFilter<RefusalFilter>();
            options.DocumentFilter<ApiExamples>();
        });
    }

    public static void UseApiDocument(this WebApplication app)
    {
        app.UseSwagger(options => options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1);
        app.UseSwaggerUI(options => options.DocumentTitle = "DaprPlatform");
    }

    /// <summary>What any operation of its kind may answer, besides what its route says itself.</summary>
    private sealed class RefusalFilter : IOperationFilter
    {
        public void Apply(OpenApiOperation operation, OperationFilterContext context)
        {
            var responses = operation.Responses ??= [];
            if (operation.RequestBody is not null || operation.Parameters is { Count: > 0 })
                Add("400", "The request is invalid");
            if (operation.RequestBody is not null)
            {
                Add("413", "The body is too large");
                Add("415", "The content type is not supported");
            }
            if (operation.Security is { Count: > 0 })
                Add("401", "Not authenticated");
            Add("429", "Too many requests; Retry-After says when to ask again");
            Add("503", "A dependency is unavailable; Retry-After says when to ask again");

            void Add(string status, string description)
            {
                if (!responses.ContainsKey(status))
                    responses[status] = new OpenApiResponse { Description = description };
            }
        }
    }

    private sealed class SecurityFilter : IOperationFilter
    {
        public void Apply(OpenApiOperation operation, OperationFilterContext context)
        {
            if (!context.ApiDescription.ActionDescriptor.EndpointMetadata.OfType<IAuthorizeData>().Any())
                return;
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Bearer, context.Document)] = [] }];
        }
    }
}
